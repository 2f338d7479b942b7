#include "runtime/scheduler.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "runtime/joined.h"
#include "runtime/scheduler_algorithms.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kMaxInferenceSteps = 10'000;

SchedulerTable make_configured_table(const std::string& class_name, const nlohmann::json& config,
                                     const StepSpan& steps) {
  if (class_name == kEulerClass) return make_euler_table(read_euler_config(config), steps);
  if (class_name == kLcmClass) return make_lcm_table(read_lcm_config(config), steps);
  if (class_name == kUniPcClass) return make_unipc_table(read_unipc_config(config), steps);
  if (class_name == kDpmClass) return make_dpm_table(read_dpm_config(config), steps);
  if (class_name == kDdimClass) return make_ddim_table(read_ddim_config(config), steps);
  return make_euler_discrete_table(read_euler_discrete_config(config), steps);
}

FlowTime read_any_time(const std::string& class_name, const nlohmann::json& config) {
  if (class_name == kUniPcClass) return read_unipc_config(config).time;
  if (class_name == kDpmClass) return read_dpm_config(config).time;
  if (class_name == kLcmClass) return read_lcm_config(config).time;
  return read_euler_config(config).time;
}

// The names that every model takes, those of flow matching, and those of models that predict noise or v.
const std::vector<std::string>& names_for_all() {
  static const std::vector<std::string> names = {"euler", "unipc", "dpmpp_2m"};
  return names;
}
const std::vector<std::string>& names_for_flow() {
  static const std::vector<std::string> names = {"lcm"};
  return names;
}
const std::vector<std::string>& names_for_noise() {
  static const std::vector<std::string> names = {"ddim", "euler_ancestral", "dpmpp_2m_sde"};
  return names;
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_override(const std::string& name) {
  if (name.empty()) return;
  for (const auto* names : {&names_for_all(), &names_for_noise(), &names_for_flow()}) {
    if (holds(*names, name)) return;
  }
  throw InvalidArgument("unknown scheduler '" + name + "'; expected " + joined(names_for_all()) + ", " +
                        joined(names_for_noise()) + ", " + joined(names_for_flow()) + ".");
}

// Throws where a name is for the other kind of model, or would not ask the model where it was distilled to be asked.
void check_fit(const std::string& name, const std::optional<NoiseTime>& noise, const FlowTime& time) {
  const std::string refused = "scheduler '" + name + "' ";
  if (!noise.has_value() && holds(names_for_noise(), name)) {
    throw InvalidArgument(refused +
                          "is for models that predict noise or v, and this one is of flow matching; expected " +
                          joined(names_for_all()) + ", " + joined(names_for_flow()) + ".");
  }
  if (noise.has_value() && holds(names_for_flow(), name)) {
    throw InvalidArgument(refused + "is for flow matching, and this model predicts noise or v; expected " +
                          joined(names_for_all()) + ", " + joined(names_for_noise()) + ".");
  }
  if (!time.timesteps.empty() && name != "euler" && name != "lcm") {
    throw InvalidArgument(refused + "spreads its timesteps over training, and this model was distilled for " +
                          timestep_words(time) + " alone; expected euler or lcm.");
  }
}

SchedulerTable make_overridden_table(const std::string& name, const std::string& class_name,
                                     const nlohmann::json& config, const StepSpan& steps) {
  const std::optional<NoiseTime> noise = read_any_noise_time(class_name, config);
  const FlowTime time = noise.has_value() ? FlowTime{} : read_any_time(class_name, config);
  check_fit(name, noise, time);
  if (name == "ddim") {
    return make_ddim_table(class_name == kDdimClass ? read_ddim_config(config) : DdimConfig{*noise}, steps);
  }
  if (noise.has_value() && (name == "euler" || name == "euler_ancestral")) {
    EulerDiscreteConfig euler =
        class_name == kEulerDiscreteClass ? read_euler_discrete_config(config) : EulerDiscreteConfig{*noise};
    if (name == "euler_ancestral") {
      euler.ancestral = true;
      euler.final_sigma_zero = true;
      euler.time.karras_sigmas = false;
    }
    return make_euler_discrete_table(euler, steps);
  }
  if (name == "euler") return make_euler_table({time}, steps);
  if (name == "lcm") return make_lcm_table({time}, steps);
  if (name == "unipc") {
    UniPcConfig unipc = class_name == kUniPcClass ? read_unipc_config(config) : UniPcConfig{};
    unipc.time = time;
    unipc.noise = noise;
    return make_unipc_table(unipc, steps);
  }
  DpmConfig dpm = class_name == kDpmClass ? read_dpm_config(config) : DpmConfig{};
  dpm.time = time;
  dpm.noise = noise;
  if (dpm.noise.has_value()) dpm.noise->sigma_min = dpm.noise->sigma_max = 0.0;  // which this class has not
  dpm.solver_order = 2;
  dpm.sde = name == "dpmpp_2m_sde";
  return make_dpm_table(dpm, steps);
}

bool finite(const StepCoefficients& step) {
  const auto all_finite = [](const std::array<double, kMaxHistory>& values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
  };
  return std::isfinite(step.timestep) && std::isfinite(step.to_m_sample) && std::isfinite(step.to_m_output) &&
         std::isfinite(step.c_prev) && std::isfinite(step.c_m) && std::isfinite(step.p_sample) &&
         std::isfinite(step.p_m) && all_finite(step.c_history) && all_finite(step.p_history);
}

void check_table(const SchedulerTable& table) {
  for (std::size_t i = 0; i < table.steps.size(); ++i) {
    if (finite(table.steps[i])) continue;
    throw InvalidArgument("step " + std::to_string(i) + " of " + std::to_string(table.steps.size()) +
                          " of scheduler '" + table.name +
                          "' would divide by zero: neighbouring noise levels coincide, or one holds no signal. "
                          "Use fewer num_inference_steps, a shift nearer to 1 or smaller betas.");
  }
}

}  // namespace

SchedulerTable make_scheduler_table(const std::string& config_json, const std::string& override_name,
                                    int num_inference_steps, int first_step) {
  if (num_inference_steps < 1 || num_inference_steps > kMaxInferenceSteps) {
    throw InvalidArgument("num_inference_steps is " + std::to_string(num_inference_steps) + "; expected 1 to " +
                          std::to_string(kMaxInferenceSteps) + ".");
  }
  if (first_step < 0 || first_step >= num_inference_steps) {
    throw InvalidArgument("first_step is " + std::to_string(first_step) + "; expected 0 to " +
                          std::to_string(num_inference_steps - 1) + ".");
  }
  check_override(override_name);
  const StepSpan steps{num_inference_steps, first_step};
  std::string class_name;
  const nlohmann::json config = parse_scheduler_config(config_json, &class_name);
  SchedulerTable table = override_name.empty() ? make_configured_table(class_name, config, steps)
                                               : make_overridden_table(override_name, class_name, config, steps);
  check_table(table);
  return table;
}

}  // namespace vidrt
