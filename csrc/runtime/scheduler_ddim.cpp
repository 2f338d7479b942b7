// DDIM without noise: Song, Meng and Ermon, "Denoising diffusion implicit models", 2020 (arXiv:2010.02502), equation 12
// with sigma 0. docs/schedulers.md has the formulas.
#include <cmath>
#include <string>

#include "runtime/scheduler_algorithms.h"
#include "vidrt/errors.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

NoiseLevel level_of(double alpha_squared) { return {std::sqrt(alpha_squared), std::sqrt(1.0 - alpha_squared)}; }

void check_first_timestep(const NoiseTime& time, int steps) {
  const int train = time.num_train_timesteps;
  const int first = (steps - 1) * (train / steps) + time.steps_offset;
  if (time.spacing == TimestepSpacing::kLeading && first >= train) {
    throw InvalidArgument("scheduler setting 'steps_offset' of DDIMScheduler is " + std::to_string(time.steps_offset) +
                          ", which makes the first of " + std::to_string(steps) + " timesteps " +
                          std::to_string(first) + "; expected at most " + std::to_string(train - 1) +
                          ". Use fewer num_inference_steps.");
  }
}

}  // namespace

SchedulerTable make_ddim_table(const DdimConfig& config, const StepSpan& steps) {
  const NoiseTime& time = config.time;
  check_trained_steps(time, steps.count, 0);
  check_first_timestep(time, steps.count);
  const std::vector<double> products = alphas_cumprod(time);
  const int stride = time.num_train_timesteps / steps.count;
  SchedulerTable table;
  table.name = "ddim";
  const std::vector<double> timesteps = spaced_timesteps(time, steps.count, steps.count);
  for (int i = steps.first; i < steps.count; ++i) {
    const auto timestep = static_cast<int>(std::nearbyint(timesteps[static_cast<std::size_t>(i)]));
    // One stride back, whatever the next timestep of the spacing is.
    const int previous = timestep - stride;
    const double final_product = config.set_alpha_to_one ? 1.0 : products.front();
    const NoiseLevel from = level_of(products[static_cast<std::size_t>(timestep)]);
    const NoiseLevel to = level_of(previous < 0 ? final_product : products[static_cast<std::size_t>(previous)]);
    StepCoefficients step;
    step.timestep = timestep;
    set_data_prediction(time, from, &step);
    step.p_sample = to.sigma / from.sigma;
    step.p_m = to.alpha - from.alpha * step.p_sample;
    table.steps.push_back(step);
    table.sigmas.push_back(from.sigma);
    if (i == steps.first) table.start = from;
    if (i == steps.count - 1) table.sigmas.push_back(to.sigma);
  }
  return table;
}

}  // namespace vidrt
