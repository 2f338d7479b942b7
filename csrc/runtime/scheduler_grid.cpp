// The noise levels at which a trajectory stops. Compiled without contraction: timesteps must equal diffusers' exactly,
// and a fused multiply-add before the cut to an integer could change one.
#include <cmath>
#include <sstream>

#include "runtime/scheduler_algorithms.h"
#include "vidrt/errors.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

// diffusers shifts in float32 when a FlowMatch scheduler is made, which gives the range of training sigmas, and when it
// is given timesteps; where it spreads them itself it shifts once more, in double. The order and precision of
// operations are part of the result.
float shifted_in_float(float sigma, double shift) {
  const float scale = static_cast<float>(shift);
  const float slope = static_cast<float>(shift - 1.0);
  return scale * sigma / (1.0f + slope * sigma);
}

FlowGrid chosen_grid(const FlowTime& time, int steps) {
  FlowGrid grid;
  grid.timesteps = time.timesteps;
  if (static_cast<std::size_t>(steps) != grid.timesteps.size()) {
    const std::string count = std::to_string(grid.timesteps.size());
    throw InvalidArgument("num_inference_steps is " + std::to_string(steps) + ", but the model's scheduler has " +
                          count + " chosen timesteps (" + timestep_words(time) + "); expected " + count +
                          ", for which the model was distilled.");
  }
  for (const double timestep : grid.timesteps) {
    const float sigma = static_cast<float>(timestep) / static_cast<float>(time.num_train_timesteps);
    grid.sigmas.push_back(static_cast<double>(shifted_in_float(sigma, time.shift)));
  }
  return grid;
}

FlowGrid spread_grid(const FlowTime& time, int steps) {
  const double train = time.num_train_timesteps;
  const float smallest = 1.0f / static_cast<float>(train);
  const double sigma_max = static_cast<double>(shifted_in_float(1.0f, time.shift));
  const double sigma_min = static_cast<double>(shifted_in_float(smallest, time.shift));
  FlowGrid grid;
  for (const double timestep : linspace(sigma_max * train, sigma_min * train, steps)) {
    const auto sigma = static_cast<float>(shift_sigma(timestep / train, time.shift));
    grid.sigmas.push_back(static_cast<double>(sigma));
    // A float32 product, as diffusers multiplies its float32 sigmas.
    grid.timesteps.push_back(static_cast<double>(sigma * static_cast<float>(train)));
  }
  return grid;
}

}  // namespace

std::string timestep_words(const FlowTime& time) {
  std::string words;
  for (const double timestep : time.timesteps) {
    std::ostringstream word;
    word << timestep;
    words += (words.empty() ? "" : ", ") + word.str();
  }
  return words;
}

FlowGrid flow_match_grid(const FlowTime& time, int steps) {
  FlowGrid grid = time.timesteps.empty() ? spread_grid(time, steps) : chosen_grid(time, steps);
  grid.sigmas.push_back(0.0);
  return grid;
}

std::vector<double> linspace(double start, double stop, int count) {
  std::vector<double> values(static_cast<std::size_t>(count), start);
  if (count < 2) return values;
  const double step = (stop - start) / static_cast<double>(count - 1);
  for (int i = 1; i < count; ++i) values[static_cast<std::size_t>(i)] = static_cast<double>(i) * step + start;
  values.back() = stop;
  return values;
}

double half_log_snr(const NoiseLevel& level) { return std::log(level.alpha) - std::log(level.sigma); }

FlowGrid make_integer_grid(const std::vector<double>& unrounded, double final_sigma, int num_train_timesteps) {
  FlowGrid grid;
  for (double sigma : unrounded) {
    grid.sigmas.push_back(round_to_float(sigma));
    grid.timesteps.push_back(std::trunc(sigma * num_train_timesteps));
  }
  grid.sigmas.push_back(round_to_float(final_sigma));
  return grid;
}

}  // namespace vidrt
