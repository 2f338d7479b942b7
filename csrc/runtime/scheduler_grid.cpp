// The noise levels at which a trajectory stops. Compiled without contraction: timesteps must equal diffusers' exactly,
// and a fused multiply-add before the cut to an integer could change one.
#include <cmath>

#include "runtime/scheduler_algorithms.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {

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
