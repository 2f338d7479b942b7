// UniPC with data prediction: Zhao, Bai, Rao, Zhou and Lu, "UniPC: a unified predictor-corrector framework for fast
// sampling of diffusion models", 2023 (arXiv:2302.04867), in the B(h) form of its official code. docs/schedulers.md has
// the formulas.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/scheduler_algorithms.h"
#include "vidrt/errors.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

constexpr int kMaxOrder = 3;
using Vector = std::array<double, kMaxOrder>;
using Matrix = std::array<Vector, kMaxOrder>;

// phi_k = sum over j of h^(j+1) / (j+k+1)!, which is (e^h - 1)/h - 1 for k = 1 and phi_{k-1}/h - 1/k! beyond. The
// recursion cancels for small h, the series converges there.
double phi(int k, double h) {
  if (std::abs(h) < 1.0) {
    double factorial = 1.0;
    for (int j = 2; j <= k + 1; ++j) factorial *= j;
    double term = h / factorial;
    double sum = 0.0;
    for (int j = k + 2; std::abs(term) > 1e-20; ++j) {
      sum += term;
      term *= h / j;
    }
    return sum;
  }
  double value = std::expm1(h) / h - 1.0;
  double factorial = 1.0;
  for (int j = 2; j <= k; ++j) {
    factorial *= j;
    value = value / h - 1.0 / factorial;
  }
  return value;
}

// Gaussian elimination with row pivoting on the leading size x size part.
Vector solve(Matrix a, Vector b, int size) {
  const auto n = static_cast<std::size_t>(size);
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[column], a[pivot]);
    std::swap(b[column], b[pivot]);
    for (std::size_t row = column + 1; row < n; ++row) {
      const double factor = a[row][column] / a[column][column];
      for (std::size_t k = column; k < n; ++k) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
  Vector x{};
  for (std::size_t row = n; row-- > 0;) {
    double rest = b[row];
    for (std::size_t k = row + 1; k < n; ++k) rest -= a[row][k] * x[k];
    x[row] = rest / a[row][row];
  }
  return x;
}

// x_t = sample * x_s + base * m_s + sum older[k] * m_(s-1-k) + newest * m_t, from noise level s to t.
struct Update {
  double sample = 0.0;
  double base = 0.0;
  Vector older{};
  double newest = 0.0;  // 0 for the predictor, which does not know m_t yet
};

class UniPc {
 public:
  UniPc(const UniPcConfig& config, const std::vector<NoiseLevel>& levels) : config_(config), levels_(levels) {}

  // From levels[s] to levels[s + 1] with `order - 1` data predictions before that of s, and m_t where `corrector`.
  Update update(std::size_t s, int order, bool corrector) const {
    const NoiseLevel& to = levels_[s + 1];
    // "sigma_min" may repeat the last level: nothing to do.
    if (to.sigma == levels_[s].sigma) return {1.0, 0.0, {}, 0.0};
    const double alpha_t = to.alpha;
    const double lambda_s = half_log_snr(levels_[s]);
    const double h = half_log_snr(to) - lambda_s;

    Update result;
    result.sample = to.sigma / levels_[s].sigma;
    result.base = -alpha_t * std::expm1(-h);
    if (order == 1 && !corrector) return result;  // also the step to sigma 0, where h is infinite

    Vector ratios{};  // of the older predictions' distances to h; 1 for m_t itself
    for (int k = 1; k < order; ++k) {
      ratios[index(k - 1)] = (half_log_snr(levels_[s - index(k)]) - lambda_s) / h;
    }
    ratios[index(order - 1)] = 1.0;
    const double b_h = config_.bh1 ? -h : std::expm1(-h);
    const Vector rho = weights(ratios, -h, b_h, order, corrector);
    for (int k = 0; k < order - 1; ++k) {
      const double weight = -alpha_t * b_h * rho[index(k)] / ratios[index(k)];
      result.older[index(k)] = weight;
      result.base -= weight;
    }
    if (corrector) {
      result.newest = -alpha_t * b_h * rho[index(order - 1)];
      result.base -= result.newest;
    }
    return result;
  }

 private:
  static std::size_t index(int k) { return static_cast<std::size_t>(k); }

  // The combination of differences that cancels the error terms up to the order.
  static Vector weights(const Vector& ratios, double hh, double b_h, int order, bool corrector) {
    // The paper's closed form for one unknown; the solution of the system would differ, and diffusers uses this.
    if (corrector ? order == 1 : order == 2) return {0.5, 0.0, 0.0};
    Matrix r{};
    Vector b{};
    double factorial = 1.0;
    for (int i = 0; i < order; ++i) {
      factorial *= i + 1;
      for (int j = 0; j < order; ++j) r[index(i)][index(j)] = std::pow(ratios[index(j)], i);
      b[index(i)] = phi(i + 1, hh) * factorial / b_h;
    }
    return solve(r, b, corrector ? order : order - 1);
  }

  const UniPcConfig& config_;
  const std::vector<NoiseLevel>& levels_;
};

SolverGrid flow_grid(const UniPcConfig& config, int steps) {
  std::vector<double> sigmas = linspace(1.0, 1.0 / config.time.num_train_timesteps, steps + 1);
  sigmas.pop_back();
  for (double& sigma : sigmas) sigma = shift_sigma(sigma, config.time.shift);
  // At sigma 1 there is no signal and its logarithm is infinite.
  constexpr double kEpsilon = 1e-6;
  if (std::abs(sigmas.front() - 1.0) < kEpsilon) sigmas.front() -= kEpsilon;
  const FlowGrid flow =
      make_integer_grid(sigmas, config.final_sigma_zero ? 0.0 : sigmas.back(), config.time.num_train_timesteps);
  return flow_solver_grid(flow);
}

SolverGrid unipc_grid(const UniPcConfig& config, int steps) {
  if (!config.noise.has_value()) return flow_grid(config, steps);
  NoiseGridRules rules;
  rules.final_sigma_zero = config.final_sigma_zero;
  rules.karras_repeats_last = true;
  return noise_solver_grid(*config.noise, rules, steps);
}

// The order of the predictor at `step`: few predictions are known at first, and the end wants a lower order.
int order_at(const UniPcConfig& config, int step, const StepSpan& steps) {
  const int wanted = config.lower_order_final ? std::min(config.solver_order, steps.count - step) : config.solver_order;
  return std::min(wanted, step - steps.first + 1);
}

}  // namespace

SchedulerTable make_unipc_table(const UniPcConfig& config, const StepSpan& steps) {
  const SolverGrid grid = unipc_grid(config, steps.count);
  if (config.final_sigma_zero && order_at(config, steps.count - 1, steps) > 1) {
    throw InvalidArgument(
        "scheduler setting 'lower_order_final' of UniPCMultistepScheduler is false; with "
        "final_sigmas_type \"zero\" the last step of order " +
        std::to_string(config.solver_order) +
        " would divide by zero. Set it to true, or final_sigmas_type to \"sigma_min\".");
  }
  const UniPc unipc(config, grid.levels);
  SchedulerTable table;
  table.name = "unipc";
  begin_table(grid, steps.first, &table);
  for (int i = steps.first; i < steps.count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    StepCoefficients step;
    step.timestep = grid.timesteps[at];
    set_data_prediction(config.noise, grid.levels[at], &step);

    const auto& disabled = config.disable_corrector;
    if (i > steps.first && std::find(disabled.begin(), disabled.end(), i - 1) == disabled.end()) {
      const Update corrected = unipc.update(at - 1, order_at(config, i - 1, steps), true);
      step.correct = true;
      step.c_prev = corrected.sample;
      step.c_m = corrected.newest;
      step.c_history[0] = corrected.base;
      std::copy_n(corrected.older.begin(), kMaxHistory - 1, step.c_history.begin() + 1);
      table.needs_prev_sample = true;
    }
    const Update predicted = unipc.update(at, order_at(config, i, steps), false);
    step.p_sample = predicted.sample;
    step.p_m = predicted.base;
    step.p_history = predicted.older;
    table.steps.push_back(step);
  }
  // The corrector looks one prediction further back than the predictor of the same order.
  table.num_history = table.needs_prev_sample ? config.solver_order : config.solver_order - 1;
  return table;
}

}  // namespace vidrt
