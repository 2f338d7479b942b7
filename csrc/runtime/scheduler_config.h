// diffusers scheduler configs, read strictly: what changes the result and is not supported is refused by name.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vidrt {

// _class_name of the configs that are understood.
inline constexpr const char* kEulerClass = "FlowMatchEulerDiscreteScheduler";
inline constexpr const char* kLcmClass = "FlowMatchLCMScheduler";
inline constexpr const char* kUniPcClass = "UniPCMultistepScheduler";
inline constexpr const char* kDpmClass = "DPMSolverMultistepScheduler";
inline constexpr const char* kDdimClass = "DDIMScheduler";
inline constexpr const char* kEulerDiscreteClass = "EulerDiscreteScheduler";
inline constexpr const char* kEulerAncestralClass = "EulerAncestralDiscreteScheduler";

/// What every flow-matching config has: training time runs from 0 to num_train_timesteps, sigma is shifted by `shift`.
struct FlowTime {
  int num_train_timesteps = 1000;
  double shift = 1.0;
  // Of kEulerClass and kLcmClass: where the model is asked, falling float32 values up to num_train_timesteps, for a
  // checkpoint that was distilled for these alone; empty = spread over all of training.
  std::vector<double> timesteps;
};

enum class TimestepSpacing { kLinspace, kLeading, kTrailing };

/// What every config of a model that predicts noise, or v, has: how it was trained and where a trajectory stops.
struct NoiseTime {
  int num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  bool scaled_linear = false;  // betas rise in their square roots; else linearly
  bool zero_terminal_snr = false;
  bool v_prediction = false;  // else epsilon
  TimestepSpacing spacing = TimestepSpacing::kLinspace;
  int steps_offset = 0;
  bool karras_sigmas = false;
  double sigma_min = 0.0, sigma_max = 0.0;  // of Karras' sigmas; 0: as trained
};

/// kDdimClass without noise of its own (eta 0) and without clipping.
struct DdimConfig {
  NoiseTime time;
  bool set_alpha_to_one = true;
};

/// kEulerDiscreteClass and kEulerAncestralClass.
struct EulerDiscreteConfig {
  NoiseTime time;
  bool ancestral = false;
  bool final_sigma_zero = true;
};

/// kEulerClass.
struct EulerConfig {
  FlowTime time;
};

/// kLcmClass at one size of latents (no scale_factors).
struct LcmConfig {
  FlowTime time;
};

/// kUniPcClass with predict_x0: flow_prediction with use_flow_sigmas, or `noise`.
struct UniPcConfig {
  FlowTime time;
  std::optional<NoiseTime> noise;
  int solver_order = 2;  // 1..3
  bool bh1 = false;      // solver_type: B(h) = h (bh1) or e^h - 1 (bh2)
  bool lower_order_final = true;
  bool final_sigma_zero = true;        // final_sigmas_type "zero"; else "sigma_min"
  std::vector<int> disable_corrector;  // steps whose prediction is left as it is
};

/// kDpmClass: dpmsolver++ with flow_prediction and use_flow_sigmas, or `noise`.
struct DpmConfig {
  FlowTime time;
  std::optional<NoiseTime> noise;
  bool sde = false;      // sde-dpmsolver++, which adds noise in every step; only with `noise`
  int solver_order = 2;  // 1..3
  bool heun = false;     // solver_type of the second-order update; else midpoint
  bool lower_order_final = true;
  bool euler_at_final = false;
  bool final_sigma_zero = true;
  double final_sigma = 0.0;  // of flow matching, where final_sigmas_type is "sigma_min": of the beta schedule
};

/// The object in `config_json` and its `_class_name`. Throws InvalidArgument for anything else and for other classes.
nlohmann::json parse_scheduler_config(const std::string& config_json, std::string* class_name);

/// Each throws InvalidArgument naming the setting that is unknown, unsupported, or out of range.
EulerConfig read_euler_config(const nlohmann::json& config);
LcmConfig read_lcm_config(const nlohmann::json& config);
UniPcConfig read_unipc_config(const nlohmann::json& config);
DpmConfig read_dpm_config(const nlohmann::json& config);
DdimConfig read_ddim_config(const nlohmann::json& config);
EulerDiscreteConfig read_euler_discrete_config(const nlohmann::json& config);
/// Of `config`, whose class is `class_name`: what another algorithm needs of it; nothing for flow matching.
std::optional<NoiseTime> read_any_noise_time(const std::string& class_name, const nlohmann::json& config);

class SettingReader;
/// The settings of NoiseTime but the range of Karras' sigmas, which not every class has.
NoiseTime read_noise_time(SettingReader& reader, const char* default_spacing);
void read_sigma_range(SettingReader& reader, NoiseTime* time);

}  // namespace vidrt
