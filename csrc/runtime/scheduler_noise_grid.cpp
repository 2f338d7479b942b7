// Where the trajectory of a model that predicts noise stops: its training schedule, and the timesteps taken of it, as
// diffusers computes them, in float32 where torch does and in float64 where NumPy does.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "runtime/scheduler_algorithms.h"
#include "vidrt/errors.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

using Floats = std::vector<float>;

// torch.linspace: from both ends to the middle, one rounding an element (its vector units fuse multiply and add).
Floats float_linspace(float start, float stop, std::size_t count) {
  const double step = static_cast<double>((stop - start) / static_cast<float>(count - 1));
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double value = i < count / 2 ? static_cast<double>(start) + step * static_cast<double>(i)
                                       : static_cast<double>(stop) - step * static_cast<double>(count - 1 - i);
    values[i] = static_cast<float>(value);
  }
  return values;
}

// torch.cumprod of 1 - beta, which sums in float64 and keeps float32.
Floats cumulative_alphas(const Floats& betas) {
  Floats products;
  double product = 1.0;
  for (const float beta : betas) {
    product *= static_cast<double>(1.0f - beta);
    products.push_back(static_cast<float>(product));
  }
  return products;
}

// Lin, Liu, Li and Yang, "Common diffusion noise schedules and sample steps are flawed", 2023, algorithm 1.
Floats rescaled_to_zero_snr(const Floats& betas) {
  Floats roots = cumulative_alphas(betas);
  for (float& root : roots) root = std::sqrt(root);
  const float first = roots.front();
  const float last = roots.back();
  const float scale = first / (first - last);
  for (float& root : roots) root = (root - last) * scale;
  Floats rescaled;
  float before = 1.0f;
  for (const float root : roots) {
    const float product = root * root;
    rescaled.push_back(1.0f - product / before);
    before = product;
  }
  return rescaled;
}

// Half to even, as NumPy rounds.
double rounded(double value) { return std::nearbyint(value); }

// numpy.interp over 0, 1, ...: between its neighbours, the ends beyond them.
double interpolated(const Floats& values, double at) {
  if (at <= 0.0) return static_cast<double>(values.front());
  if (at >= static_cast<double>(values.size() - 1)) return static_cast<double>(values.back());
  const auto below = static_cast<std::size_t>(at);
  const auto low = static_cast<double>(values[below]);
  return (static_cast<double>(values[below + 1]) - low) * (at - static_cast<double>(below)) + low;
}

// The timestep in training of a sigma, by the logarithm. `logarithms` rise.
double timestep_of(double sigma, const Floats& logarithms) {
  const double logarithm = std::log(std::max(sigma, 1e-10));
  const auto above = std::upper_bound(logarithms.begin(), logarithms.end(), logarithm,
                                      [](double value, float entry) { return value < static_cast<double>(entry); });
  const auto known = static_cast<std::size_t>(above - logarithms.begin());
  const std::size_t low = std::min(known == 0 ? 0 : known - 1, logarithms.size() - 2);
  const double weight =
      (static_cast<double>(logarithms[low]) - logarithm) / static_cast<double>(logarithms[low] - logarithms[low + 1]);
  const double clipped = std::clamp(weight, 0.0, 1.0);
  return (1.0 - clipped) * static_cast<double>(low) + clipped * static_cast<double>(low + 1);
}

}  // namespace

std::vector<double> alphas_cumprod(const NoiseTime& time) {
  const auto count = static_cast<std::size_t>(time.num_train_timesteps);
  Floats betas;
  if (time.scaled_linear) {
    betas = float_linspace(static_cast<float>(std::sqrt(time.beta_start)), static_cast<float>(std::sqrt(time.beta_end)),
                           count);
    for (float& beta : betas) beta = beta * beta;
  } else {
    betas = float_linspace(static_cast<float>(time.beta_start), static_cast<float>(time.beta_end), count);
  }
  if (time.zero_terminal_snr) betas = rescaled_to_zero_snr(betas);
  const Floats products = cumulative_alphas(betas);
  return {products.begin(), products.end()};
}

std::vector<double> spaced_timesteps(const NoiseTime& time, int count, int intervals) {
  const int train = time.num_train_timesteps;
  std::vector<double> timesteps;
  if (time.spacing == TimestepSpacing::kLinspace) {
    timesteps = linspace(0.0, train - 1.0, intervals);
    std::reverse(timesteps.begin(), timesteps.end());
    timesteps.resize(static_cast<std::size_t>(count));
  } else if (time.spacing == TimestepSpacing::kLeading) {
    const int ratio = train / intervals;
    for (int i = 0; i < count; ++i) timesteps.push_back((intervals - 1 - i) * ratio + time.steps_offset);
  } else {
    const double ratio = static_cast<double>(train) / count;
    const double step = (train - ratio) - train;  // numpy.arange steps by the difference of its first two
    for (int i = 0; i < count; ++i) timesteps.push_back(rounded(train + i * step) - 1.0);
  }
  return timesteps;
}

void check_trained_steps(const NoiseTime& time, int steps, int spare) {
  const int most = time.num_train_timesteps - spare;
  if (steps <= most) return;
  throw InvalidArgument("num_inference_steps is " + std::to_string(steps) + "; expected at most " +
                        std::to_string(most) + ", as the model was trained with " +
                        std::to_string(time.num_train_timesteps) + " num_train_timesteps.");
}

SolverGrid noise_solver_grid(const NoiseTime& time, const NoiseGridRules& rules, int steps) {
  check_trained_steps(time, steps, rules.counts_end ? 1 : 0);
  std::vector<double> products = alphas_cumprod(time);
  if (time.zero_terminal_snr) products.back() = std::ldexp(1.0, -24);  // so that its sigma is finite
  Floats trained;
  for (const double product : products) {
    const auto alpha = static_cast<float>(product);
    trained.push_back(std::sqrt((1.0f - alpha) / alpha));
  }

  SolverGrid grid;
  std::vector<double> sigmas;
  for (double timestep : spaced_timesteps(time, steps, rules.counts_end ? steps + 1 : steps)) {
    timestep = rules.whole_timesteps ? rounded(timestep) : round_to_float(timestep);
    grid.timesteps.push_back(timestep);
    sigmas.push_back(interpolated(trained, timestep));
  }
  double last = rules.final_sigma_zero ? 0.0 : static_cast<double>(trained.front());
  if (time.karras_sigmas) {
    // Karras, Aittala, Aila and Laine, "Elucidating the design space of diffusion-based generative models", 2022,
    // equation 5.
    constexpr double kRho = 7.0;
    const double lowest = rules.karras_over_training ? static_cast<double>(trained.front()) : sigmas.back();
    const double highest = rules.karras_over_training ? static_cast<double>(trained.back()) : sigmas.front();
    const double smallest = std::pow(time.sigma_min > 0.0 ? time.sigma_min : lowest, 1.0 / kRho);
    const double largest = std::pow(time.sigma_max > 0.0 ? time.sigma_max : highest, 1.0 / kRho);
    const std::vector<double> ramp = linspace(0.0, 1.0, steps);
    Floats logarithms;
    for (const float sigma : trained) logarithms.push_back(std::log(sigma));
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      sigmas[i] = std::pow(largest + ramp[i] * (smallest - largest), kRho);
      const double timestep = timestep_of(sigmas[i], logarithms);
      grid.timesteps[i] = rules.whole_timesteps ? rounded(timestep) : round_to_float(timestep);
    }
    if (!rules.final_sigma_zero && rules.karras_repeats_last) last = sigmas.back();
  }
  for (const double sigma : sigmas) grid.sigmas.push_back(round_to_float(sigma));
  grid.sigmas.push_back(round_to_float(last));
  for (const double sigma : grid.sigmas) grid.levels.push_back(noise_level(sigma));
  return grid;
}

void begin_table(const SolverGrid& grid, int first, SchedulerTable* table) {
  table->sigmas.assign(grid.sigmas.begin() + first, grid.sigmas.end());
  table->start = grid.levels[static_cast<std::size_t>(first)];
}

SolverGrid flow_solver_grid(const FlowGrid& flow) {
  SolverGrid grid{flow.sigmas, flow.timesteps, {}};
  for (const double sigma : grid.sigmas) grid.levels.push_back({1.0 - sigma, sigma});
  return grid;
}

NoiseLevel noise_level(double sigma) {
  const double alpha = 1.0 / std::sqrt(sigma * sigma + 1.0);
  return {alpha, sigma * alpha};
}

void set_data_prediction(const std::optional<NoiseTime>& time, const NoiseLevel& level, StepCoefficients* step) {
  if (!time.has_value()) {
    step->to_m_sample = 1.0;  // x - sigma v
    step->to_m_output = -level.sigma;
    return;
  }
  step->to_m_sample = time->v_prediction ? level.alpha : 1.0 / level.alpha;
  step->to_m_output = time->v_prediction ? -level.sigma : -level.sigma / level.alpha;
}

}  // namespace vidrt
