// The C interface of what layers take: the layers of all modules as one table.
#include <cstdint>
#include <string>

#include "runtime/c_api_internal.h"

using namespace vidrt::c_api;  // NOLINT: this file is the C face of that namespace

extern "C" {

vidrt_status vidrt_pipeline_take_layer_profile(vidrt_pipeline* pipeline, vidrt_layer_profile** profile) noexcept {
  return give_handle(profile, "profile", [&] {
    return new vidrt_layer_profile{required(pipeline, "pipeline").pipeline.take_layer_profile()};
  });
}

int32_t vidrt_layer_profile_count(const vidrt_layer_profile* profile) noexcept {
  std::size_t count = 0;
  if (profile == nullptr) return 0;
  for (const vidrt::ModuleProfile& module : profile->modules) count += module.layers.size();
  return static_cast<int32_t>(count);
}

vidrt_status vidrt_layer_profile_get(const vidrt_layer_profile* profile, int32_t index,
                                     vidrt_layer_time* layer) noexcept {
  return guarded([&] {
    required(profile, "profile");
    const int32_t count = vidrt_layer_profile_count(profile);
    if (index < 0 || index >= count) {
      throw vidrt::InvalidArgument("index is " + std::to_string(index) + "; the profile has " + std::to_string(count) +
                                   " layers.");
    }
    auto left = static_cast<std::size_t>(index);
    auto module = profile->modules.begin();
    for (; left >= module->layers.size(); ++module) left -= module->layers.size();
    const vidrt::LayerTime& found = module->layers[left];
    vidrt_layer_time filled{};
    filled.module = module->module.c_str();
    filled.name = found.name.c_str();
    filled.type = found.type.c_str();
    filled.median_ms = found.median_ms;
    filled.share = found.share;
    filled.run_ms = module->run_ms;
    filled.runs = module->runs;
    filled.missed_runs = module->missed_runs;
    write_struct("layer", filled, layer);
  });
}

void vidrt_layer_profile_free(vidrt_layer_profile* profile) noexcept { delete profile; }

}  // extern "C"
