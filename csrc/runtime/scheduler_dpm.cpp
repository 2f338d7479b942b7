// DPM-Solver++ multistep: Lu, Zhou, Bao, Chen, Li and Zhu, "DPM-Solver++: fast solver for guided sampling of diffusion
// probabilistic models", 2022 (arXiv:2211.01095), 2M of its algorithm 2 and the 3M form of the official code.
// docs/schedulers.md has the formulas.
#include <algorithm>
#include <cmath>

#include "runtime/scheduler_algorithms.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

SolverGrid flow_grid(const DpmConfig& config, int steps) {
  std::vector<double> sigmas = linspace(1.0, 1.0 / config.time.num_train_timesteps, steps + 1);
  for (double& alpha : sigmas) alpha = shift_sigma(1.0 - alpha, config.time.shift);
  std::reverse(sigmas.begin(), sigmas.end());
  sigmas.pop_back();
  const FlowGrid flow =
      make_integer_grid(sigmas, config.final_sigma_zero ? 0.0 : config.final_sigma, config.time.num_train_timesteps);
  return flow_solver_grid(flow);
}

SolverGrid dpm_grid(const DpmConfig& config, int steps) {
  if (!config.noise.has_value()) return flow_grid(config, steps);
  NoiseGridRules rules;
  rules.final_sigma_zero = config.final_sigma_zero;
  return noise_solver_grid(*config.noise, rules, steps);
}

int order_at(const DpmConfig& config, int step, const StepSpan& steps) {
  constexpr int kFewSteps = 15;
  const bool few = config.lower_order_final && steps.count < kFewSteps;
  if (step == steps.count - 1 && (config.euler_at_final || few || config.final_sigma_zero)) return 1;
  const int wanted = step == steps.count - 2 && few ? std::min(config.solver_order, 2) : config.solver_order;
  return std::min(wanted, step - steps.first + 1);
}

// x <- sigma_t/sigma_s x - alpha_t (e^-h - 1) m0 + w1 D1 + w2 D2, with D1, D2 spelled out in m0, m1, m2. The form that
// adds noise has 2 h for h but in sigma_t/sigma_s, which it multiplies by e^-h.
void set_update(const DpmConfig& config, const std::vector<NoiseLevel>& levels, std::size_t s, int order,
                StepCoefficients* step) {
  const NoiseLevel& to = levels[s + 1];
  if (to.sigma == levels[s].sigma) {  // "sigma_min" may repeat the last level: nothing to do
    step->p_sample = 1.0;
    return;
  }
  const double lambda_s = half_log_snr(levels[s]);
  const double h = half_log_snr(to) - lambda_s;
  const double span = config.sde ? 2.0 * h : h;
  const double decay = std::expm1(-span);
  step->p_sample = to.sigma / levels[s].sigma * (config.sde ? std::exp(-h) : 1.0);
  step->p_m = -to.alpha * decay;
  if (config.sde) step->p_history[static_cast<std::size_t>(config.solver_order - 1)] = to.sigma * std::sqrt(-decay);
  if (order == 1) return;

  const double h0 = lambda_s - half_log_snr(levels[s - 1]);
  const double r0 = h0 / h;
  if (order == 2) {
    const double w1 = config.heun ? to.alpha * (decay / span + 1.0) : -0.5 * to.alpha * decay;
    step->p_m += w1 / r0;
    step->p_history[0] = -w1 / r0;
    return;
  }
  const double r1 = (half_log_snr(levels[s - 1]) - half_log_snr(levels[s - 2])) / h;
  const double w1 = to.alpha * (decay / h + 1.0);
  const double w2 = -to.alpha * ((decay + h) / (h * h) - 0.5);
  // D1 = d0 + r0/(r0+r1) (d0 - d1), D2 = (d0 - d1)/(r0+r1), d0 = (m0 - m1)/r0, d1 = (m1 - m2)/r1.
  const double on_d1 = -(w1 * r0 + w2) / (r0 + r1);
  const double on_d0 = w1 - on_d1;
  step->p_m += on_d0 / r0;
  step->p_history[0] = on_d1 / r1 - on_d0 / r0;
  step->p_history[1] = -on_d1 / r1;
}

const char* table_name(int order) { return order == 1 ? "dpmpp_1" : (order == 2 ? "dpmpp_2m" : "dpmpp_3m"); }

}  // namespace

SchedulerTable make_dpm_table(const DpmConfig& config, const StepSpan& steps) {
  const SolverGrid grid = dpm_grid(config, steps.count);
  SchedulerTable table;
  table.name = table_name(config.solver_order) + std::string(config.sde ? "_sde" : "");
  begin_table(grid, steps.first, &table);
  table.adds_noise = config.sde;
  table.num_history = config.solver_order - 1 + (config.sde ? 1 : 0);
  for (int i = steps.first; i < steps.count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    StepCoefficients step;
    step.timestep = grid.timesteps[at];
    set_data_prediction(config.noise, grid.levels[at], &step);
    set_update(config, grid.levels, at, order_at(config, i, steps), &step);
    table.steps.push_back(step);
  }
  return table;
}

}  // namespace vidrt
