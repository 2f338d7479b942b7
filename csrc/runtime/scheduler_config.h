// diffusers scheduler configs, read strictly: what changes the result and is not supported is refused by name.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace vidrt {

// _class_name of the configs that are understood.
inline constexpr const char* kEulerClass = "FlowMatchEulerDiscreteScheduler";
inline constexpr const char* kUniPcClass = "UniPCMultistepScheduler";
inline constexpr const char* kDpmClass = "DPMSolverMultistepScheduler";

/// What every flow-matching config has: training time runs from 0 to num_train_timesteps, sigma is shifted by `shift`.
struct FlowTime {
  int num_train_timesteps = 1000;
  double shift = 1.0;
};

/// kEulerClass.
struct EulerConfig {
  FlowTime time;
};

/// kUniPcClass: flow_prediction with use_flow_sigmas and predict_x0.
struct UniPcConfig {
  FlowTime time;
  int solver_order = 2;  // 1..3
  bool bh1 = false;      // solver_type: B(h) = h (bh1) or e^h - 1 (bh2)
  bool lower_order_final = true;
  bool final_sigma_zero = true;        // final_sigmas_type "zero"; else "sigma_min"
  std::vector<int> disable_corrector;  // steps whose prediction is left as it is
};

/// kDpmClass: dpmsolver++ with flow_prediction and use_flow_sigmas.
struct DpmConfig {
  FlowTime time;
  int solver_order = 2;  // 1..3
  bool heun = false;     // solver_type of the second-order update; else midpoint
  bool lower_order_final = true;
  bool euler_at_final = false;
  bool final_sigma_zero = true;
  double final_sigma = 0.0;  // where final_sigmas_type is "sigma_min": of the beta schedule, as diffusers has it
};

/// The object in `config_json` and its `_class_name`. Throws InvalidArgument for anything else and for other classes.
nlohmann::json parse_scheduler_config(const std::string& config_json, std::string* class_name);

/// Each throws InvalidArgument naming the setting that is unknown, unsupported, or out of range.
EulerConfig read_euler_config(const nlohmann::json& config);
UniPcConfig read_unipc_config(const nlohmann::json& config);
DpmConfig read_dpm_config(const nlohmann::json& config);

}  // namespace vidrt
