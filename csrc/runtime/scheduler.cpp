#include "runtime/scheduler.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/scheduler_algorithms.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kMaxInferenceSteps = 10'000;

SchedulerTable make_configured_table(const std::string& class_name, const nlohmann::json& config, int steps) {
  if (class_name == kEulerClass) return make_euler_table(read_euler_config(config), steps);
  if (class_name == kUniPcClass) return make_unipc_table(read_unipc_config(config), steps);
  return make_dpm_table(read_dpm_config(config), steps);
}

FlowTime read_any_time(const std::string& class_name, const nlohmann::json& config) {
  if (class_name == kUniPcClass) return read_unipc_config(config).time;
  if (class_name == kDpmClass) return read_dpm_config(config).time;
  return read_euler_config(config).time;
}

SchedulerTable make_overridden_table(const std::string& name, const std::string& class_name,
                                     const nlohmann::json& config, int steps) {
  const FlowTime time = read_any_time(class_name, config);
  if (name == "euler") return make_euler_table({time}, steps);
  if (name == "unipc") {
    UniPcConfig unipc = class_name == kUniPcClass ? read_unipc_config(config) : UniPcConfig{};
    unipc.time = time;
    return make_unipc_table(unipc, steps);
  }
  DpmConfig dpm = class_name == kDpmClass ? read_dpm_config(config) : DpmConfig{};
  dpm.time = time;
  dpm.solver_order = 2;
  return make_dpm_table(dpm, steps);
}

bool finite(const StepCoefficients& step) {
  const auto all_finite = [](const std::array<double, kMaxHistory>& values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
  };
  return std::isfinite(step.timestep) && std::isfinite(step.to_m_output) && std::isfinite(step.c_prev) &&
         std::isfinite(step.c_m) && std::isfinite(step.p_sample) && std::isfinite(step.p_m) &&
         all_finite(step.c_history) && all_finite(step.p_history);
}

void check_table(const SchedulerTable& table) {
  for (std::size_t i = 0; i < table.steps.size(); ++i) {
    if (finite(table.steps[i])) continue;
    throw InvalidArgument("step " + std::to_string(i) + " of " + std::to_string(table.steps.size()) +
                          " of scheduler '" + table.name +
                          "' would divide by zero: neighbouring noise levels coincide. "
                          "Use fewer num_inference_steps or a shift nearer to 1.");
  }
}

}  // namespace

SchedulerTable make_scheduler_table(const std::string& config_json, const std::string& override_name,
                                    int num_inference_steps) {
  if (num_inference_steps < 1 || num_inference_steps > kMaxInferenceSteps) {
    throw InvalidArgument("num_inference_steps is " + std::to_string(num_inference_steps) + "; expected 1 to " +
                          std::to_string(kMaxInferenceSteps) + ".");
  }
  if (!override_name.empty() && override_name != "euler" && override_name != "unipc" && override_name != "dpmpp_2m") {
    throw InvalidArgument("unknown scheduler '" + override_name + "'; expected euler, unipc or dpmpp_2m.");
  }
  std::string class_name;
  const nlohmann::json config = parse_scheduler_config(config_json, &class_name);
  SchedulerTable table = override_name.empty()
                             ? make_configured_table(class_name, config, num_inference_steps)
                             : make_overridden_table(override_name, class_name, config, num_inference_steps);
  check_table(table);
  return table;
}

}  // namespace vidrt
