// Configs of models that predict noise, or v: DDIM, Euler, Euler ancestral, and what the multistep solvers share.
#include <nlohmann/json.hpp>

#include "runtime/scheduler_config.h"
#include "runtime/scheduler_settings.h"

namespace vidrt {
namespace {

constexpr double kMaxBeta = 0.999;
constexpr double kMaxSigma = 1e6;

TimestepSpacing read_spacing(SettingReader& reader, const char* fallback) {
  const std::string word = reader.choice("timestep_spacing", fallback, {"linspace", "leading", "trailing"});
  if (word == "linspace") return TimestepSpacing::kLinspace;
  return word == "leading" ? TimestepSpacing::kLeading : TimestepSpacing::kTrailing;
}

}  // namespace

NoiseTime read_noise_time(SettingReader& reader, const char* default_spacing) {
  NoiseTime time;
  time.num_train_timesteps = reader.integer("num_train_timesteps", 1000, 2, kMaxTrainTimesteps);
  time.beta_start = reader.positive("beta_start", 0.0001, kMaxBeta);
  time.beta_end = reader.positive("beta_end", 0.02, kMaxBeta);
  time.scaled_linear = reader.choice("beta_schedule", "linear", {"linear", "scaled_linear"}) == "scaled_linear";
  reader.must_be_off({"trained_betas"});
  time.v_prediction = reader.choice("prediction_type", "epsilon", {"epsilon", "v_prediction"}) == "v_prediction";
  time.zero_terminal_snr = reader.boolean("rescale_betas_zero_snr", false);
  if (time.zero_terminal_snr && !time.v_prediction) {
    // At no signal at all the noise is the sample, and says nothing of the data.
    reader.refuse("rescale_betas_zero_snr", true, "false with prediction_type \"epsilon\"");
  }
  time.spacing = read_spacing(reader, default_spacing);
  time.steps_offset = reader.integer("steps_offset", 0, 0, kMaxTrainTimesteps);
  time.karras_sigmas = reader.boolean("use_karras_sigmas", false);
  reader.ignore({"skip_prk_steps"});  // of another class, left in the folders of ModelScope
  return time;
}

void read_sigma_range(SettingReader& reader, NoiseTime* time) {
  time->sigma_min = reader.positive_or_none("sigma_min", kMaxSigma);
  time->sigma_max = reader.positive_or_none("sigma_max", kMaxSigma);
}

DdimConfig read_ddim_config(const nlohmann::json& config) {
  SettingReader reader(config, kDdimClass);
  DdimConfig ddim;
  ddim.time = read_noise_time(reader, "leading");
  ddim.set_alpha_to_one = reader.boolean("set_alpha_to_one", true);
  reader.must_be(false, "clip_sample", true);
  reader.must_be_off({"thresholding", "use_karras_sigmas"});
  reader.ignore({"dynamic_thresholding_ratio", "clip_sample_range", "sample_max_value"});
  reader.finish();
  return ddim;
}

EulerDiscreteConfig read_euler_discrete_config(const nlohmann::json& config) {
  EulerDiscreteConfig euler;
  euler.ancestral = config.at("_class_name") == kEulerAncestralClass;
  SettingReader reader(config, euler.ancestral ? kEulerAncestralClass : kEulerDiscreteClass);
  euler.time = read_noise_time(reader, "linspace");
  if (euler.ancestral) {
    reader.must_be_off({"use_karras_sigmas"});
  } else {
    read_sigma_range(reader, &euler.time);
    reader.choice("interpolation_type", "linear", {"linear"});
    reader.choice("timestep_type", "discrete", {"discrete"});
    reader.must_be_off({"use_exponential_sigmas", "use_beta_sigmas"});
    euler.final_sigma_zero = reader.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
  }
  reader.ignore({"clip_sample", "set_alpha_to_one"});  // of DDIM, whose config is often taken over
  reader.finish();
  return euler;
}

std::optional<NoiseTime> read_any_noise_time(const std::string& class_name, const nlohmann::json& config) {
  if (class_name == kUniPcClass) return read_unipc_config(config).noise;
  if (class_name == kDpmClass) return read_dpm_config(config).noise;
  if (class_name == kDdimClass) return read_ddim_config(config).time;
  if (class_name == kEulerClass || class_name == kLcmClass) return std::nullopt;
  return read_euler_discrete_config(config).time;
}

}  // namespace vidrt
