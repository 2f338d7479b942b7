#include "runtime/scheduler_config.h"

#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

using nlohmann::json;

constexpr int kMaxTrainTimesteps = 1'000'000;
constexpr double kMaxShift = 1000.0;

// Takes settings one by one and remembers which, so that none is passed over unseen.
class SettingReader {
 public:
  SettingReader(const json& config, const char* class_name) : config_(config), class_name_(class_name) {}

  int integer(const char* key, int fallback, int low, int high) {
    const json* value = take(key);
    if (value == nullptr) return fallback;
    if (!value->is_number_integer() || *value < low || *value > high) {
      refuse(key, *value, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return value->get<int>();
  }

  double positive(const char* key, double fallback, double high) {
    const json* value = take(key);
    if (value == nullptr) return fallback;
    if (!value->is_number() || !(value->get<double>() > 0.0) || value->get<double>() > high) {
      refuse(key, *value, "a number above 0, at most " + json(high).dump());
    }
    return value->get<double>();
  }

  bool boolean(const char* key, bool fallback) {
    const json* value = take(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) refuse(key, *value, "true or false");
    return value->get<bool>();
  }

  std::string choice(const char* key, const char* fallback, std::initializer_list<const char*> allowed) {
    const json* value = take(key);
    const std::string word = value == nullptr ? fallback : (value->is_string() ? value->get<std::string>() : "");
    std::string known;
    for (const char* candidate : allowed) {
      if (word == candidate) return word;
      known += std::string(known.empty() ? "\"" : " or \"") + candidate + "\"";
    }
    refuse(key, value == nullptr ? json(fallback) : *value, known);
  }

  std::vector<int> integers(const char* key) {
    const json* value = take(key);
    std::vector<int> numbers;
    if (value == nullptr) return numbers;
    if (!value->is_array()) refuse(key, *value, "a list of step numbers");
    for (const json& entry : *value) {
      if (!entry.is_number_integer() || entry < 0 || entry > kMaxTrainTimesteps) {
        refuse(key, *value, "a list of step numbers");
      }
      numbers.push_back(entry.get<int>());
    }
    return numbers;
  }

  // Settings that would change the result, which we have only in the form that leaves it alone.
  void must_be_off(std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      const json* value = take(key);
      if (value != nullptr && !value->is_null() && *value != false && *value != 0) refuse(key, *value, "false or null");
    }
  }

  void must_be_on(const char* key, bool fallback) {
    if (!boolean(key, fallback)) refuse(key, false, "true");
  }

  // Settings without influence on flow matching.
  void ignore(std::initializer_list<const char*> keys) {
    for (const char* key : keys) take(key);
  }

  void finish() const {
    for (const auto& [key, value] : config_.items()) {
      if (key.rfind('_', 0) == 0 || taken_.count(key) != 0) continue;
      throw InvalidArgument(
          "scheduler setting '" + key + "' of " + class_name_ +
          " is not known to this version of vidrt; take it out of the bundle's scheduler config if it "
          "does not matter, or update vidrt.");
    }
  }

 private:
  const json* take(const char* key) {
    taken_.insert(key);
    const auto found = config_.find(key);
    return found == config_.end() ? nullptr : &*found;
  }

  [[noreturn]] void refuse(const char* key, const json& value, const std::string& expected) const {
    throw InvalidArgument("scheduler setting '" + std::string(key) + "' of " + class_name_ + " is " + value.dump() +
                          "; this version of vidrt supports " + expected +
                          ". Export the bundle with a scheduler of that setting, or choose another scheduler.");
  }

  const json& config_;
  const std::string class_name_;
  std::set<std::string> taken_;
};

FlowTime read_time(SettingReader& reader, const char* shift_key) {
  FlowTime time;
  time.num_train_timesteps = reader.integer("num_train_timesteps", 1000, 2, kMaxTrainTimesteps);
  time.shift = reader.positive(shift_key, 1.0, kMaxShift);
  return time;
}

// UniPC and DPM-Solver share the settings they inherited from the epsilon models.
void read_common_multistep(SettingReader& reader) {
  reader.choice("prediction_type", "epsilon", {"flow_prediction"});
  reader.must_be_on("use_flow_sigmas", false);
  reader.must_be_off({"thresholding", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                      "use_dynamic_shifting", "shift_terminal"});
  reader.ignore({"beta_end", "dynamic_thresholding_ratio", "sample_max_value", "timestep_spacing", "steps_offset",
                 "time_shift_type", "sigma_min", "sigma_max"});
}

// sqrt((1 - a) / a) of the first training step, in float32 operation by operation as torch computes it.
double beta_schedule_sigma_min(double beta_start, bool scaled_linear) {
  const float root = static_cast<float>(std::sqrt(beta_start));
  const float beta = scaled_linear ? root * root : static_cast<float>(beta_start);
  const float alpha = 1.0f - beta;
  const float ratio = (1.0f - alpha) / alpha;
  return static_cast<double>(std::sqrt(ratio));
}

}  // namespace

json parse_scheduler_config(const std::string& config_json, std::string* class_name) {
  json config = json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) {
    throw InvalidArgument("the scheduler config is not a JSON object; expected a diffusers scheduler_config.json.");
  }
  const auto name = config.find("_class_name");
  if (name == config.end() || !name->is_string()) {
    throw InvalidArgument("the scheduler config has no _class_name; expected the name of a diffusers scheduler.");
  }
  *class_name = name->get<std::string>();
  if (*class_name != kEulerClass && *class_name != kUniPcClass && *class_name != kDpmClass) {
    throw InvalidArgument("scheduler '" + *class_name + "' is not supported; expected " + kEulerClass + ", " +
                          kUniPcClass + " or " + kDpmClass + ".");
  }
  return config;
}

EulerConfig read_euler_config(const json& config) {
  SettingReader reader(config, kEulerClass);
  EulerConfig euler;
  euler.time = read_time(reader, "shift");
  reader.must_be_off({"use_dynamic_shifting", "invert_sigmas", "shift_terminal", "use_karras_sigmas",
                      "use_exponential_sigmas", "use_beta_sigmas", "stochastic_sampling"});
  reader.ignore({"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"});
  reader.finish();
  return euler;
}

UniPcConfig read_unipc_config(const json& config) {
  SettingReader reader(config, kUniPcClass);
  UniPcConfig unipc;
  unipc.time = read_time(reader, "flow_shift");
  read_common_multistep(reader);
  unipc.solver_order = reader.integer("solver_order", 2, 1, 3);
  unipc.bh1 = reader.choice("solver_type", "bh2", {"bh1", "bh2"}) == "bh1";
  unipc.lower_order_final = reader.boolean("lower_order_final", true);
  unipc.final_sigma_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
  unipc.disable_corrector = reader.integers("disable_corrector");
  reader.must_be_on("predict_x0", true);
  reader.must_be_off({"solver_p"});
  reader.ignore({"beta_start", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"});
  reader.finish();
  return unipc;
}

DpmConfig read_dpm_config(const json& config) {
  SettingReader reader(config, kDpmClass);
  DpmConfig dpm;
  dpm.time = read_time(reader, "flow_shift");
  read_common_multistep(reader);
  dpm.solver_order = reader.integer("solver_order", 2, 1, 3);
  dpm.heun = reader.choice("solver_type", "midpoint", {"midpoint", "heun"}) == "heun";
  dpm.lower_order_final = reader.boolean("lower_order_final", true);
  dpm.euler_at_final = reader.boolean("euler_at_final", false);
  dpm.final_sigma_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
  reader.choice("algorithm_type", "dpmsolver++", {"dpmsolver++"});
  reader.must_be_off({"use_lu_lambdas"});
  reader.ignore({"lambda_min_clipped", "variance_type"});
  if (dpm.final_sigma_zero) {
    reader.ignore({"beta_start", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"});
  } else {
    // Only this final sigma comes from the noise schedule that flow matching otherwise has no use for.
    reader.must_be_off({"trained_betas", "rescale_betas_zero_snr"});
    const bool scaled = reader.choice("beta_schedule", "linear", {"linear", "scaled_linear"}) == "scaled_linear";
    dpm.final_sigma = beta_schedule_sigma_min(reader.positive("beta_start", 0.0001, 0.999), scaled);
  }
  reader.finish();
  return dpm;
}

}  // namespace vidrt
