// Sampling algorithms as tables of per-step coefficients, computed once on the host in fp64 (docs/schedulers.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vidrt {

inline constexpr int kMaxHistory = 3;

/// One step as linear combinations of tensors:
///   m  = to_m_sample * x + to_m_output * v              what the solver works on (x0 for multistep flow solvers, v for
///   Euler) x' = c_prev * x_prev + c_m * m + sum c_history[j] * history[j]     only where `correct`, else x' = x x <-
///   p_sample * x' + p_m * m + sum p_history[j] * history[j]
/// then x_prev <- x' and m enters history at index 0 (older ones move up).
struct StepCoefficients {
  double timestep = 0.0;  // what the denoiser is given, in the units of training
  double to_m_sample = 0.0, to_m_output = 0.0;
  bool correct = false;
  double c_prev = 0.0, c_m = 0.0;
  std::array<double, kMaxHistory> c_history{};
  double p_sample = 0.0, p_m = 0.0;
  std::array<double, kMaxHistory> p_history{};
};

/// x = alpha x0 + sigma noise.
struct NoiseLevel {
  double alpha = 0.0;
  double sigma = 1.0;
};

struct SchedulerTable {
  // "euler" | "lcm" | "euler_ancestral" | "ddim" | "unipc" | "dpmpp_2m" (orders 1 and 3: "dpmpp_1", "dpmpp_3m") |
  // "dpmpp_2m_sde" ("dpmpp_1_sde")
  std::string name;
  // one more than steps, the last is the end of the trajectory; noise over signal of models that predict noise or v,
  // but for "ddim", which has the noise itself
  std::vector<double> sigmas;
  std::vector<StepCoefficients> steps;  // from the first that is run
  double init_noise_sigma = 1.0;        // the initial latents are noise times this
  NoiseLevel start;                     // or else, of a clip that is given, this mixture of it and noise
  int num_history = 0;                  // history tensors the steps read
  bool needs_prev_sample = false;
  // Before each step standard normal noise of its own is put into the oldest history tensor: whatever was there is read
  // no more, and the step reads the noise before it puts m in its place.
  bool adds_noise = false;
};

/// Build the table for 1 to 10,000 steps. `config_json` is a diffusers scheduler config object with `_class_name`;
/// `override_name` (empty or euler | unipc | dpmpp_2m, for flow matching lcm, and for models that predict noise or v
/// ddim | euler_ancestral | dpmpp_2m_sde) takes another algorithm with the same training and spacing, its other
/// settings diffusers' defaults. Steps before `first_step` are left out, as if the solver began there: it knows no
/// earlier prediction. Throws InvalidArgument for an algorithm or a setting that is not supported, naming it.
SchedulerTable make_scheduler_table(const std::string& config_json, const std::string& override_name,
                                    int num_inference_steps, int first_step = 0);

/// What the first frame of the next sample (C,T,h,w) is, whatever the step makes of it.
struct FirstFrame {
  const float* values = nullptr;  // (C,h,w); null = what the step makes of it
  std::int64_t frames = 1;        // T
  std::int64_t frame_size = 1;    // h*w
};

/// The tensors one step reads and writes; all float32 with `count` elements (C*T*h*w), none overlapping another. What a
/// step has no coefficient for is not read, so prev_sample and history need no initial values.
struct StepTensors {
  const float* output_negative = nullptr;  // the denoiser's prediction for the negative prompt; null = no guidance
  const float* output_positive = nullptr;
  float guidance_scale = 1.0f;
  float* sample = nullptr;                    // in: x, out: next x
  float* sample_copy = nullptr;               // second half of a batched denoiser input; null = none
  float* prev_sample = nullptr;               // null where the table needs none
  std::array<float*, kMaxHistory> history{};  // history[0] newest on entry; see rotate_history
  FirstFrame first_frame;
  std::int64_t count = 0;
};

/// Apply one step in one pass, guidance neg + g * (pos - neg) and the first frame included, in fp32. The oldest history
/// buffer (index num_history - 1) receives m; call rotate_history afterwards so that it becomes the newest.
void apply_step(const SchedulerTable& table, int step, const StepTensors& tensors);
void rotate_history(const SchedulerTable& table, StepTensors& tensors);

}  // namespace vidrt
