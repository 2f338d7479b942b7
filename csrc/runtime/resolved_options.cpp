#include "runtime/resolved_options.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>

#include "runtime/decode_planner.h"
#include "runtime/image_input.h"
#include "runtime/limit_check.h"
#include "runtime/vae_tiling.h"
#include "runtime/video_input.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::int64_t kMaxLatentSize = 100000;  // of any dimension; times a ratio it is still an int
constexpr int kMaxInferenceSteps = 1000;         // the finest schedule the models were trained on

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

int check_size(const std::string& name, const Limit& limit, int value, std::vector<std::string>* warnings) {
  check_limit(name, limit, value);
  const bool measured = limit.measured_max > 0;
  if (measured && (value < limit.measured_min || value > limit.measured_max)) {
    warnings->push_back(name + " " + std::to_string(value) +
                        " lies outside the range in which this model's quality was " + "measured (" +
                        std::to_string(limit.measured_min) + " to " + std::to_string(limit.measured_max) + ").");
  }
  return value;
}

double check_fps(double fps) {
  if (std::isfinite(fps) && fps > 0.0 && fps <= 1000.0) return fps;
  throw InvalidArgument("fps must be more than 0 and at most 1000, got " + number(fps) + ".");
}

void check_decode_chunk(int chunk) {
  if (chunk >= 0) return;
  throw InvalidArgument("decode_chunk must be 0 (chosen by the plan) or more latent frames, got " +
                        std::to_string(chunk) + ".");
}

DType output_dtype(const std::string& output_type) {
  if (output_type == "uint8") return DType::kUInt8;
  if (output_type == "float32") return DType::kFloat32;
  throw InvalidArgument("output_type must be uint8 or float32, got '" + output_type + "'.");
}

void check_finite(const TensorView& latents, const std::string& expected) {
  const float* values = latents.as<float>();
  if (std::all_of(values, values + latents.elements(), [](float value) { return std::isfinite(value); })) return;
  throw InvalidArgument("latents hold values that are not finite; expected " + expected + ".");
}

void check_embeds(const std::string& name, const PromptEmbeds& embeds, const Manifest& manifest) {
  if (embeds.length != manifest.text_length || embeds.dim <= 0 ||
      embeds.values.size() != static_cast<std::size_t>(embeds.length) * static_cast<std::size_t>(embeds.dim) ||
      embeds.mask.size() != static_cast<std::size_t>(embeds.length)) {
    throw InvalidArgument(name + " has " + std::to_string(embeds.length) + " rows of " + std::to_string(embeds.dim) +
                          ", but this bundle's text has " + std::to_string(manifest.text_length) +
                          " rows; encode the prompt with this bundle.");
  }
}

void check_prompts(const GenerateOptions& options, const Manifest& manifest, bool guided) {
  if (options.prompt_embeds != nullptr) {
    if (!options.prompt.empty()) {
      throw InvalidArgument("got both prompt and prompt_embeds; expected one of them.");
    }
    check_embeds("prompt_embeds", *options.prompt_embeds, manifest);
  }
  if (options.negative_prompt_embeds != nullptr) {
    if (options.negative_prompt.has_value()) {
      throw InvalidArgument("got both negative_prompt and negative_prompt_embeds; expected one of them.");
    }
    if (!guided) {
      throw InvalidArgument("negative_prompt_embeds has no effect at a guidance_scale of " +
                            number(manifest.guidance_off_at) + " or less; raise guidance_scale or leave it out.");
    }
    check_embeds("negative_prompt_embeds", *options.negative_prompt_embeds, manifest);
  }
}

void check_latents(const TensorView& latents, const ResolvedOptions& resolved, int channels) {
  const Shape expected{channels, resolved.latent_frames, resolved.latent_height, resolved.latent_width};
  Shape batched = expected;
  batched.insert(batched.begin(), 1);
  if (latents.data == nullptr || latents.dtype != DType::kFloat32 ||
      (latents.shape != expected && latents.shape != batched)) {
    throw InvalidArgument("latents must be float32 " + shape_string(expected) + " for this size, got " +
                          dtype_name(latents.dtype) + " " + shape_string(latents.shape) + ".");
  }
  check_finite(latents, "samples of a normal distribution");
}

}  // namespace

ResolvedOptions resolve_options(const Manifest& manifest, const GenerateOptions& options) {
  const Defaults& defaults = manifest.defaults;
  ResolvedOptions resolved;
  resolved.height = check_size("height", manifest.height, options.height.value_or(defaults.height), &resolved.warnings);
  resolved.width = check_size("width", manifest.width, options.width.value_or(defaults.width), &resolved.warnings);
  resolved.num_frames = check_size("num_frames", manifest.num_frames, options.num_frames.value_or(defaults.num_frames),
                                   &resolved.warnings);
  resolved.latent_frames = latent_frames_of_clip(manifest.vae, resolved.num_frames);
  resolved.latent_height = resolved.height / manifest.vae.spatial_ratio;
  resolved.latent_width = resolved.width / manifest.vae.spatial_ratio;

  resolved.num_inference_steps = options.num_inference_steps.value_or(defaults.num_inference_steps);
  if (resolved.num_inference_steps < 1 || resolved.num_inference_steps > kMaxInferenceSteps) {
    throw InvalidArgument("num_inference_steps must be 1 to " + std::to_string(kMaxInferenceSteps) + ", got " +
                          std::to_string(resolved.num_inference_steps) + ".");
  }
  resolved.guidance_scale = options.guidance_scale.value_or(defaults.guidance_scale);
  if (!std::isfinite(resolved.guidance_scale) || resolved.guidance_scale < 0.0) {
    throw InvalidArgument("guidance_scale must be a finite number of 0 or more, got " +
                          number(resolved.guidance_scale) + ".");
  }
  resolved.guided = resolved.guidance_scale > manifest.guidance_off_at;
  if (!std::isfinite(options.step_cache) || options.step_cache < 0.0) {
    throw InvalidArgument("step_cache must be 0 (off) or a finite threshold above it, as 0.05, got " +
                          number(options.step_cache) + ".");
  }
  resolved.step_cache = options.step_cache;
  resolved.fps = check_fps(options.fps.value_or(defaults.fps));
  resolved.output = output_dtype(options.output_type);
  check_decode_chunk(options.decode_chunk);
  resolved.vae_tiling = options.vae_tiling.mode;
  resolved.tiles = resolve_tiles(manifest, options.vae_tiling, resolved.height, resolved.width);
  resolved.negative_prompt = options.negative_prompt.value_or(defaults.negative_prompt);
  if (!resolved.guided && options.negative_prompt.has_value() && !options.negative_prompt->empty()) {
    throw InvalidArgument("negative_prompt has no effect at a guidance_scale of " + number(manifest.guidance_off_at) +
                          " or less, got " + number(resolved.guidance_scale) +
                          "; raise guidance_scale or leave negative_prompt out.");
  }
  check_prompts(options, manifest, resolved.guided);
  if (options.image.has_value()) {
    check_image(manifest, *options.image, resolved.height, resolved.width);
    resolved.has_image = true;
    if (resolved.latent_frames == 1) {
      resolved.warnings.push_back("num_frames " + std::to_string(resolved.num_frames) +
                                  " is a single latent frame, which the image takes: nothing is left to generate.");
    }
  }
  if (options.video.has_value()) {
    check_video(manifest, options, {resolved.num_frames, resolved.height, resolved.width, 3});
    resolved.strength = options.strength.value_or(kDefaultStrength);
    resolved.first_step = first_step(resolved.strength, resolved.num_inference_steps);
  } else if (options.strength.has_value()) {
    throw InvalidArgument("got a strength of " + number(*options.strength) +
                          ", but no video that it would change; give the clip to start from, or leave strength out.");
  }
  if (options.latents.has_value()) {
    check_latents(*options.latents, resolved, manifest.vae.latent_channels);
    if (options.seed.has_value()) {
      throw InvalidArgument("got both seed and latents; expected one of them: the seed only makes latents.");
    }
  }
  return resolved;
}

ResolvedOptions resolve_decode_options(const Manifest& manifest, const DecodeOptions& options) {
  const VaeConfig& vae = manifest.vae;
  const TensorView& latents = options.latents;
  Shape shape = latents.shape;
  if (shape.size() == 4) shape.insert(shape.begin(), 1);
  const bool fits =
      shape.size() == 5 && shape[0] == 1 && shape[1] == vae.latent_channels &&
      std::all_of(shape.begin(), shape.end(), [](std::int64_t size) { return size > 0 && size <= kMaxLatentSize; });
  if (latents.data == nullptr || latents.dtype != DType::kFloat32 || !fits) {
    throw InvalidArgument("latents must be float32 (" + std::to_string(vae.latent_channels) +
                          ", T, h, w), or the same behind a dimension of 1, got " + dtype_name(latents.dtype) + " " +
                          shape_string(latents.shape) + ".");
  }
  ResolvedOptions resolved;
  resolved.latent_frames = static_cast<int>(shape[2]);
  resolved.latent_height = static_cast<int>(shape[3]);
  resolved.latent_width = static_cast<int>(shape[4]);
  const auto within = [&](const char* name, const Limit& limit, int value) {
    return check_size(std::string("the latents' ") + name, limit, value, &resolved.warnings);
  };
  resolved.height = within("height in pixels", manifest.height, resolved.latent_height * vae.spatial_ratio);
  resolved.width = within("width in pixels", manifest.width, resolved.latent_width * vae.spatial_ratio);
  resolved.num_frames = within("length in frames", manifest.num_frames, frames_of_clip(vae, resolved.latent_frames));
  resolved.fps = check_fps(options.fps.value_or(manifest.defaults.fps));
  resolved.output = output_dtype(options.output_type);
  check_decode_chunk(options.decode_chunk);
  resolved.vae_tiling = options.vae_tiling.mode;
  resolved.tiles = resolve_tiles(manifest, options.vae_tiling, resolved.height, resolved.width);
  check_finite(latents, "latents as the model's encoder or denoiser gives them");
  return resolved;
}

}  // namespace vidrt
