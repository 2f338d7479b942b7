// The C interface of pipelines and cancel tokens.
#include <cstdint>
#include <utility>

#include "runtime/c_api_internal.h"
#include "runtime/video_input.h"

using namespace vidrt::c_api;  // NOLINT: this file is the C face of that namespace

namespace vidrt::c_api {
namespace {

// The plan's words as strings that outlive it.
const char* static_word(const std::string& word) {
  for (const char* known :
       {"batched", "sequential", "off", "all", "stage_by_stage", "stream", "none", "first_latent_frame"}) {
    if (word == known) return known;
  }
  return "";
}

vidrt_plan c_plan(const GenerationPlan& made) {
  vidrt_plan filled{};
  filled.height = made.height;
  filled.width = made.width;
  filled.num_frames = made.num_frames;
  filled.latent_frames = made.latent_frames;
  filled.latent_height = made.latent_height;
  filled.latent_width = made.latent_width;
  filled.num_inference_steps = made.num_inference_steps;
  filled.decode_chunk = made.decode_chunk;
  filled.strength = made.strength;
  filled.guidance = static_word(made.guidance);
  filled.residency = static_word(made.residency);
  filled.image_conditioning = static_word(made.image_conditioning);
  filled.arena_bytes = made.arena_bytes;
  filled.unshared_bytes = made.unshared_bytes;
  filled.activations_known = made.activations_known ? 1 : 0;
  filled.packed_bytes = made.packed_bytes;
  filled.activation_bytes = made.activation_bytes;
  filled.weight_bytes = made.weight_bytes;
  filled.total_bytes = made.total_bytes();
  fill_tiles(made.tiles, &filled);
  return filled;
}

}  // namespace

vidrt_pipeline* wrap(Pipeline pipeline) {
  std::string backend = pipeline.backend_description();
  return new vidrt_pipeline{std::move(pipeline), std::move(backend)};
}

}  // namespace vidrt::c_api

static_assert(static_cast<int>(vidrt::Stage::kLoad) == VIDRT_STAGE_LOAD &&
              static_cast<int>(vidrt::Stage::kEncode) == VIDRT_STAGE_ENCODE &&
              static_cast<int>(vidrt::Stage::kDenoise) == VIDRT_STAGE_DENOISE &&
              static_cast<int>(vidrt::Stage::kDecode) == VIDRT_STAGE_DECODE &&
              static_cast<int>(vidrt::Stage::kEncodeImage) == VIDRT_STAGE_ENCODE_IMAGE);

extern "C" {

vidrt_status vidrt_pipeline_open(const char* bundle_path, const vidrt_pipeline_options* options,
                                 vidrt_pipeline** pipeline) noexcept {
  return give_handle(pipeline, "pipeline", [&] {
    required(bundle_path, "bundle_path");
    return wrap(vidrt::Pipeline::open(bundle_path, pipeline_options(options)));
  });
}

void vidrt_pipeline_free(vidrt_pipeline* pipeline) noexcept { delete pipeline; }

const char* vidrt_pipeline_backend(const vidrt_pipeline* pipeline) noexcept {
  return pipeline == nullptr ? "" : pipeline->backend.c_str();
}

vidrt_status vidrt_generate_options_init(const vidrt_pipeline* pipeline, vidrt_generate_options* options) noexcept {
  return guarded([&] {
    const vidrt::Defaults& defaults = required(pipeline, "pipeline").pipeline.bundle().manifest().defaults;
    vidrt_generate_options filled{};
    filled.height = defaults.height;
    filled.width = defaults.width;
    filled.num_frames = defaults.num_frames;
    filled.num_inference_steps = defaults.num_inference_steps;
    filled.guidance_scale = defaults.guidance_scale;
    filled.fps = defaults.fps;
    filled.random_seed = 1;
    filled.strength = vidrt::kDefaultStrength;
    write_struct("options", filled, options);
  });
}

vidrt_status vidrt_pipeline_plan(const vidrt_pipeline* pipeline, const vidrt_generate_options* options,
                                 vidrt_plan* plan) noexcept {
  return guarded([&] {
    required(plan, "plan");
    write_struct("plan", c_plan(required(pipeline, "pipeline").pipeline.plan(generate_options(options))), plan);
  });
}

vidrt_status vidrt_pipeline_generate(vidrt_pipeline* pipeline, const vidrt_generate_options* options,
                                     const vidrt_callbacks* callbacks, vidrt_video** video) noexcept {
  return give_handle(video, "video", [&] {
    vidrt::Pipeline& running = required(pipeline, "pipeline").pipeline;
    return new vidrt_video{running.generate(generate_options(options), vidrt::c_api::callbacks(callbacks))};
  });
}

vidrt_status vidrt_pipeline_plan_decode(const vidrt_pipeline* pipeline, const vidrt_decode_options* options,
                                        vidrt_plan* plan) noexcept {
  return guarded([&] {
    required(plan, "plan");
    write_struct("plan", c_plan(required(pipeline, "pipeline").pipeline.plan_decode(decode_options(options))), plan);
  });
}

vidrt_status vidrt_pipeline_decode_latents(vidrt_pipeline* pipeline, const vidrt_decode_options* options,
                                           const vidrt_callbacks* callbacks, vidrt_video** video) noexcept {
  return give_handle(video, "video", [&] {
    vidrt::Pipeline& running = required(pipeline, "pipeline").pipeline;
    return new vidrt_video{running.decode_latents(decode_options(options), vidrt::c_api::callbacks(callbacks))};
  });
}

vidrt_status vidrt_pipeline_encode_prompt(vidrt_pipeline* pipeline, const char* prompt, int32_t truncate,
                                          const vidrt_callbacks* callbacks, vidrt_prompt_embeds** embeds) noexcept {
  return give_handle(embeds, "embeds", [&] {
    vidrt::Pipeline& running = required(pipeline, "pipeline").pipeline;
    required(prompt, "prompt");
    return new vidrt_prompt_embeds{running.encode_prompt(prompt, truncate != 0, vidrt::c_api::callbacks(callbacks))};
  });
}

vidrt_status vidrt_cancel_token_new(vidrt_cancel_token** token) noexcept {
  return give_handle(token, "token", [] { return new vidrt_cancel_token; });
}

void vidrt_cancel_token_cancel(vidrt_cancel_token* token) noexcept {
  if (token != nullptr) token->token.cancel();
}

void vidrt_cancel_token_reset(vidrt_cancel_token* token) noexcept {
  if (token != nullptr) token->token.reset();
}

void vidrt_cancel_token_free(vidrt_cancel_token* token) noexcept { delete token; }

}  // extern "C"
