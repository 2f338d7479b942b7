// Euler's method, and its ancestral form that adds noise, for dx/dsigma = noise with x = x0 + sigma noise (Karras et
// al., 2022; Euler ancestral is k-diffusion's). diffusers keeps x and divides it by sqrt(sigma^2 + 1) for the denoiser;
// here the sample is that quotient throughout, so that the denoiser is given it as it is.
#include <cmath>

#include "runtime/scheduler_algorithms.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {

SchedulerTable make_euler_discrete_table(const EulerDiscreteConfig& config, const StepSpan& steps) {
  NoiseGridRules rules;
  rules.whole_timesteps = false;
  rules.counts_end = false;
  rules.karras_over_training = false;
  rules.final_sigma_zero = config.final_sigma_zero;
  const SolverGrid grid = noise_solver_grid(config.time, rules, steps.count);
  SchedulerTable table;
  table.name = config.ancestral ? "euler_ancestral" : "euler";
  begin_table(grid, steps.first, &table);
  table.adds_noise = config.ancestral;
  table.num_history = config.ancestral ? 1 : 0;
  // diffusers begins with noise times the largest sigma, or times sqrt(sigma^2 + 1) with leading timesteps.
  const bool leading = config.time.spacing == TimestepSpacing::kLeading;
  table.init_noise_sigma = leading ? 1.0 : grid.levels.front().sigma;
  for (auto i = static_cast<std::size_t>(steps.first); i < grid.timesteps.size(); ++i) {
    const double from = grid.sigmas[i];
    const double to = grid.sigmas[i + 1];
    const double up = config.ancestral ? std::sqrt(to * to * (from * from - to * to) / (from * from)) : 0.0;
    const double down = config.ancestral ? std::sqrt(to * to - up * up) : to;
    const NoiseLevel& level = grid.levels[i];
    const double alpha = grid.levels[i + 1].alpha;
    StepCoefficients step;
    step.timestep = grid.timesteps[i];
    set_data_prediction(config.time, level, &step);
    step.p_sample = alpha / level.alpha * (down / from);
    step.p_m = alpha * (1.0 - down / from);
    step.p_history[0] = alpha * up;
    table.steps.push_back(step);
  }
  return table;
}

}  // namespace vidrt
