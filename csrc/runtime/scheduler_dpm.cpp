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

FlowGrid dpm_grid(const DpmConfig& config, int steps) {
  std::vector<double> sigmas = linspace(1.0, 1.0 / config.time.num_train_timesteps, steps + 1);
  for (double& alpha : sigmas) alpha = shift_sigma(1.0 - alpha, config.time.shift);
  std::reverse(sigmas.begin(), sigmas.end());
  sigmas.pop_back();
  return make_integer_grid(sigmas, config.final_sigma_zero ? 0.0 : config.final_sigma, config.time.num_train_timesteps);
}

int order_at(const DpmConfig& config, int step, int steps) {
  constexpr int kFewSteps = 15;
  const bool few = config.lower_order_final && steps < kFewSteps;
  if (step == steps - 1 && (config.euler_at_final || few || config.final_sigma_zero)) return 1;
  const int wanted = step == steps - 2 && few ? std::min(config.solver_order, 2) : config.solver_order;
  return std::min(wanted, step + 1);
}

// x <- sigma_t/sigma_s x - alpha_t (e^-h - 1) m0 + w1 D1 + w2 D2, with D1, D2 spelled out in m0, m1, m2.
void set_update(const DpmConfig& config, const std::vector<double>& sigmas, std::size_t s, int order,
                StepCoefficients* step) {
  const double alpha_t = 1.0 - sigmas[s + 1];
  const double lambda_s = half_log_snr(sigmas[s]);
  const double h = half_log_snr(sigmas[s + 1]) - lambda_s;
  const double decay = std::expm1(-h);
  step->p_sample = sigmas[s + 1] / sigmas[s];
  step->p_m = -alpha_t * decay;
  if (order == 1) return;

  const double h0 = lambda_s - half_log_snr(sigmas[s - 1]);
  const double r0 = h0 / h;
  if (order == 2) {
    const double w1 = config.heun ? alpha_t * (decay / h + 1.0) : -0.5 * alpha_t * decay;
    step->p_m += w1 / r0;
    step->p_history[0] = -w1 / r0;
    return;
  }
  const double r1 = (half_log_snr(sigmas[s - 1]) - half_log_snr(sigmas[s - 2])) / h;
  const double w1 = alpha_t * (decay / h + 1.0);
  const double w2 = -alpha_t * ((decay + h) / (h * h) - 0.5);
  // D1 = d0 + r0/(r0+r1) (d0 - d1), D2 = (d0 - d1)/(r0+r1), d0 = (m0 - m1)/r0, d1 = (m1 - m2)/r1.
  const double on_d1 = -(w1 * r0 + w2) / (r0 + r1);
  const double on_d0 = w1 - on_d1;
  step->p_m += on_d0 / r0;
  step->p_history[0] = on_d1 / r1 - on_d0 / r0;
  step->p_history[1] = -on_d1 / r1;
}

const char* table_name(int order) { return order == 1 ? "dpmpp_1" : (order == 2 ? "dpmpp_2m" : "dpmpp_3m"); }

}  // namespace

SchedulerTable make_dpm_table(const DpmConfig& config, int num_inference_steps) {
  const FlowGrid grid = dpm_grid(config, num_inference_steps);
  SchedulerTable table;
  table.name = table_name(config.solver_order);
  table.sigmas = grid.sigmas;
  table.num_history = config.solver_order - 1;
  for (int i = 0; i < num_inference_steps; ++i) {
    const auto at = static_cast<std::size_t>(i);
    StepCoefficients step;
    step.timestep = grid.timesteps[at];
    step.to_m_sample = 1.0;  // x0 = x - sigma v
    step.to_m_output = -grid.sigmas[at];
    set_update(config, grid.sigmas, at, order_at(config, i, num_inference_steps), &step);
    table.steps.push_back(step);
  }
  return table;
}

}  // namespace vidrt
