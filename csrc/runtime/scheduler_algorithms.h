// The sampling algorithms, one a file, and what they share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/scheduler.h"
#include "runtime/scheduler_config.h"

namespace vidrt {

/// The steps that a table has: all of a trajectory of `count` from `first` on.
struct StepSpan {
  int count;
  int first;
};

SchedulerTable make_euler_table(const EulerConfig& config, const StepSpan& steps);
SchedulerTable make_lcm_table(const LcmConfig& config, const StepSpan& steps);
SchedulerTable make_unipc_table(const UniPcConfig& config, const StepSpan& steps);
SchedulerTable make_dpm_table(const DpmConfig& config, const StepSpan& steps);
SchedulerTable make_ddim_table(const DdimConfig& config, const StepSpan& steps);
SchedulerTable make_euler_discrete_table(const EulerDiscreteConfig& config, const StepSpan& steps);

/// shift * sigma / (1 + (shift - 1) * sigma): Esser et al., "Scaling rectified flow transformers for high-resolution
/// image synthesis", 2024, section 5.3.2.
inline double shift_sigma(double sigma, double shift) { return shift * sigma / (1.0 + (shift - 1.0) * sigma); }

/// `count` values from start to stop, both included, with numpy.linspace's arithmetic.
std::vector<double> linspace(double start, double stop, int count);

/// diffusers keeps sigmas in float32 and computes with the rounded values; so do we.
inline double round_to_float(double value) { return static_cast<double>(static_cast<float>(value)); }

/// log(alpha / sigma): half the log signal-to-noise ratio. Infinite at sigma 0.
double half_log_snr(const NoiseLevel& level);

/// Sigmas as diffusers keeps them, and what the denoiser is given for each.
struct FlowGrid {
  std::vector<double> sigmas;     // steps + 1
  std::vector<double> timesteps;  // steps
};

/// The chosen timesteps in words.
std::string timestep_words(const FlowTime& time);

/// The grid of diffusers' FlowMatch classes, the last sigma being 0: the chosen timesteps, or as many as are wanted
/// spread over training. Throws InvalidArgument where another number of steps is wanted than was chosen.
FlowGrid flow_match_grid(const FlowTime& time, int steps);

/// Timesteps are sigma * num_train_timesteps cut to integers. `unrounded` has one sigma a step; `final_sigma` is
/// appended.
FlowGrid make_integer_grid(const std::vector<double>& unrounded, double final_sigma, int num_train_timesteps);

// Models that predict noise or v. What diffusers calls sigma there is sigma / alpha of the level, and alpha^2 + sigma^2
// is 1.

/// The level of such a sigma.
NoiseLevel noise_level(double sigma);

/// Set what makes m the data prediction x0; without a NoiseTime, of flow matching.
void set_data_prediction(const std::optional<NoiseTime>& time, const NoiseLevel& level, StepCoefficients* step);

/// alpha^2 of every training timestep, as the float32 values that diffusers has.
std::vector<double> alphas_cumprod(const NoiseTime& time);

/// `count` training timesteps, falling, as timestep_spacing says for `intervals` of them; not rounded where linspace
/// has fractions.
std::vector<double> spaced_timesteps(const NoiseTime& time, int count, int intervals);

/// Throws InvalidArgument for more steps than a model was trained with, `spare` timesteps being left out.
void check_trained_steps(const NoiseTime& time, int steps, int spare);

/// In what the grids of diffusers' classes differ.
struct NoiseGridRules {
  bool whole_timesteps = true;
  bool counts_end = true;  // linspace and leading divide by one more than the steps
  bool final_sigma_zero = true;
  bool karras_over_training = true;  // Karras' sigmas span those of training; else those of the steps
  bool karras_repeats_last = false;  // "sigma_min" of Karras' sigmas is the last of them
};

/// A grid of either kind, with the levels of its sigmas.
struct SolverGrid {
  std::vector<double> sigmas;     // steps + 1, as diffusers' float32 values
  std::vector<double> timesteps;  // steps
  std::vector<NoiseLevel> levels;
};

/// Put the grid's sigmas from the first step on into a table, and the level there.
void begin_table(const SolverGrid& grid, int first, SchedulerTable* table);

SolverGrid noise_solver_grid(const NoiseTime& time, const NoiseGridRules& rules, int steps);
SolverGrid flow_solver_grid(const FlowGrid& grid);

}  // namespace vidrt
