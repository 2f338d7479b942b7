// The sampling algorithms, one a file, and what they share.
#pragma once

#include <vector>

#include "runtime/scheduler.h"
#include "runtime/scheduler_config.h"

namespace vidrt {

SchedulerTable make_euler_table(const EulerConfig& config, int num_inference_steps);
SchedulerTable make_unipc_table(const UniPcConfig& config, int num_inference_steps);
SchedulerTable make_dpm_table(const DpmConfig& config, int num_inference_steps);

/// shift * sigma / (1 + (shift - 1) * sigma): Esser et al., "Scaling rectified flow transformers for high-resolution
/// image synthesis", 2024, section 5.3.2.
inline double shift_sigma(double sigma, double shift) { return shift * sigma / (1.0 + (shift - 1.0) * sigma); }

/// `count` values from start to stop, both included, with numpy.linspace's arithmetic.
std::vector<double> linspace(double start, double stop, int count);

/// diffusers keeps sigmas in float32 and computes with the rounded values; so do we.
inline double round_to_float(double value) { return static_cast<double>(static_cast<float>(value)); }

/// log((1 - sigma) / sigma): half the log signal-to-noise ratio of x = (1 - sigma) x0 + sigma noise. Infinite at 0.
double half_log_snr(double sigma);

/// Sigmas as diffusers keeps them, and timesteps sigma * num_train_timesteps of the unrounded ones cut to integers.
struct FlowGrid {
  std::vector<double> sigmas;     // steps + 1
  std::vector<double> timesteps;  // steps
};

/// `unrounded` has one sigma a step; `final_sigma` is appended.
FlowGrid make_integer_grid(const std::vector<double>& unrounded, double final_sigma, int num_train_timesteps);

}  // namespace vidrt
