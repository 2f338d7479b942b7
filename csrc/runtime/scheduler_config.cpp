#include "runtime/scheduler_config.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/joined.h"
#include "runtime/scheduler_settings.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

using nlohmann::json;

constexpr double kMaxShift = 1000.0;

FlowTime read_time(SettingReader& reader, const char* shift_key) {
  FlowTime time;
  time.num_train_timesteps = reader.integer("num_train_timesteps", 1000, 2, kMaxTrainTimesteps);
  time.shift = reader.positive(shift_key, 1.0, kMaxShift);
  return time;
}

// Of the two FlowMatch classes, which differ in their steps alone. `timesteps` is vidrt's own: diffusers is given them
// by set_timesteps().
FlowTime read_flow_match(SettingReader& reader) {
  FlowTime time = read_time(reader, "shift");
  time.timesteps = reader.falling_numbers("timesteps", time.num_train_timesteps);
  reader.must_be_off({"use_dynamic_shifting", "invert_sigmas", "shift_terminal", "use_karras_sigmas",
                      "use_exponential_sigmas", "use_beta_sigmas"});
  reader.ignore({"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"});
  return time;
}

bool is_flow(const json& config) { return config.value("prediction_type", json()) == "flow_prediction"; }

// UniPC and DPM-Solver share the settings they inherited from the models that predict noise.
void read_flow_multistep(SettingReader& reader) {
  reader.choice("prediction_type", "epsilon", {"flow_prediction"});
  reader.must_be(true, "use_flow_sigmas", false);
  reader.must_be_off({"thresholding", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                      "use_dynamic_shifting", "shift_terminal"});
  reader.ignore({"beta_end", "dynamic_thresholding_ratio", "sample_max_value", "timestep_spacing", "steps_offset",
                 "time_shift_type", "sigma_min", "sigma_max"});
}

NoiseTime read_noise_multistep(SettingReader& reader) {
  const NoiseTime time = read_noise_time(reader, "linspace");
  reader.must_be_off({"use_flow_sigmas", "thresholding", "use_exponential_sigmas", "use_beta_sigmas",
                      "use_dynamic_shifting", "shift_terminal"});
  reader.ignore({"flow_shift", "dynamic_thresholding_ratio", "sample_max_value", "time_shift_type"});
  return time;
}

// sqrt((1 - a) / a) of the first training step, in float32 operation by operation as torch computes it.
double beta_schedule_sigma_min(double beta_start, bool scaled_linear) {
  const float root = static_cast<float>(std::sqrt(beta_start));
  const float beta = scaled_linear ? root * root : static_cast<float>(beta_start);
  const float alpha = 1.0f - beta;
  const float ratio = (1.0f - alpha) / alpha;
  return static_cast<double>(std::sqrt(ratio));
}

// Only the last sigma comes from the noise schedule that flow matching otherwise has no use for.
void read_flow_final_sigma(SettingReader& reader, DpmConfig* dpm) {
  if (dpm->final_sigma_zero) {
    reader.ignore({"beta_start", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"});
    return;
  }
  reader.must_be_off({"trained_betas", "rescale_betas_zero_snr"});
  const bool scaled = reader.choice("beta_schedule", "linear", {"linear", "scaled_linear"}) == "scaled_linear";
  dpm->final_sigma = beta_schedule_sigma_min(reader.positive("beta_start", 0.0001, 0.999), scaled);
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
  static const std::set<std::string> known = {kEulerClass, kLcmClass,           kUniPcClass,         kDpmClass,
                                              kDdimClass,  kEulerDiscreteClass, kEulerAncestralClass};
  if (known.count(*class_name) == 0) {
    throw InvalidArgument("scheduler '" + *class_name + "' is not supported; expected one of " +
                          joined(known.begin(), known.end(), ", ") + ".");
  }
  return config;
}

EulerConfig read_euler_config(const json& config) {
  SettingReader reader(config, kEulerClass);
  EulerConfig euler;
  euler.time = read_flow_match(reader);
  reader.must_be_off({"stochastic_sampling"});
  reader.finish();
  return euler;
}

LcmConfig read_lcm_config(const json& config) {
  SettingReader reader(config, kLcmClass);
  LcmConfig lcm;
  lcm.time = read_flow_match(reader);
  reader.must_be_off({"scale_factors"});
  reader.ignore({"upscale_mode"});  // of scale_factors
  reader.finish();
  return lcm;
}

UniPcConfig read_unipc_config(const json& config) {
  SettingReader reader(config, kUniPcClass);
  UniPcConfig unipc;
  if (is_flow(config)) {
    unipc.time = read_time(reader, "flow_shift");
    read_flow_multistep(reader);
    reader.ignore({"beta_start", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"});
  } else {
    unipc.noise = read_noise_multistep(reader);
    read_sigma_range(reader, &*unipc.noise);
  }
  unipc.solver_order = reader.integer("solver_order", 2, 1, 3);
  unipc.bh1 = reader.choice("solver_type", "bh2", {"bh1", "bh2"}) == "bh1";
  unipc.lower_order_final = reader.boolean("lower_order_final", true);
  unipc.final_sigma_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
  unipc.disable_corrector = reader.step_numbers("disable_corrector");
  reader.must_be(true, "predict_x0", true);
  reader.must_be_off({"solver_p"});
  reader.finish();
  return unipc;
}

DpmConfig read_dpm_config(const json& config) {
  SettingReader reader(config, kDpmClass);
  DpmConfig dpm;
  const bool flow = is_flow(config);
  if (flow) {
    dpm.time = read_time(reader, "flow_shift");
    read_flow_multistep(reader);
  } else {
    dpm.noise = read_noise_multistep(reader);
    reader.must_be_off({"sigma_min", "sigma_max"});  // which this class has no use for
  }
  dpm.solver_order = reader.integer("solver_order", 2, 1, 3);
  dpm.heun = reader.choice("solver_type", "midpoint", {"midpoint", "heun"}) == "heun";
  dpm.lower_order_final = reader.boolean("lower_order_final", true);
  dpm.euler_at_final = reader.boolean("euler_at_final", false);
  dpm.final_sigma_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
  reader.must_be_off({"use_lu_lambdas"});
  if (flow) {
    reader.choice("algorithm_type", "dpmsolver++", {"dpmsolver++"});
    reader.ignore({"lambda_min_clipped", "variance_type"});
    read_flow_final_sigma(reader, &dpm);
  } else {
    dpm.sde = reader.choice("algorithm_type", "dpmsolver++", {"dpmsolver++", "sde-dpmsolver++"}) == "sde-dpmsolver++";
    if (dpm.sde && dpm.solver_order > 2) reader.refuse("solver_order", dpm.solver_order, "1 or 2 with sde-dpmsolver++");
    reader.must_be_off({"lambda_min_clipped", "variance_type"});
  }
  reader.finish();
  return dpm;
}

}  // namespace vidrt
