// The C interface of what a pipeline gives out: prompt embeddings and videos.
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/c_api_internal.h"

using namespace vidrt::c_api;  // NOLINT: this file is the C face of that namespace

namespace {

vidrt_video_info describe(const vidrt::Video& video) {
  const vidrt::VideoMetadata& metadata = video.metadata;
  const vidrt::Timings& timings = video.timings;
  vidrt_video_info info{};
  if (video.rgb != nullptr) {
    info.rgb = video.rgb->data();
    info.rgb_bytes = video.rgb->size();
  }
  if (video.rgb_float != nullptr) info.rgb_float = video.rgb_float->data();
  info.num_frames = video.num_frames;
  info.height = video.height;
  info.width = video.width;
  info.num_inference_steps = metadata.num_inference_steps;
  info.fps = video.fps;
  info.guidance_scale = metadata.guidance_scale;
  info.seed = metadata.seed;
  info.arena_bytes = metadata.arena_bytes;
  info.bundle = metadata.bundle.c_str();
  info.backend = metadata.backend.c_str();
  info.device = metadata.device.c_str();
  info.prompt = metadata.prompt.c_str();
  info.negative_prompt = metadata.negative_prompt.c_str();
  info.scheduler = metadata.scheduler.c_str();
  info.guidance = metadata.guidance.c_str();
  info.residency = metadata.residency.c_str();
  info.image_sha256 = metadata.image_sha256.c_str();
  info.video_sha256 = metadata.video_sha256.c_str();
  info.strength = metadata.strength;
  info.decode_chunk = metadata.decode_chunk;
  info.num_warnings = static_cast<std::int32_t>(metadata.warnings.size());
  info.num_skipped_steps = static_cast<std::int32_t>(metadata.skipped_steps.size());
  info.load_ms = timings.load;
  info.encode_ms = timings.encode;
  info.encode_image_ms = timings.encode_image;
  info.denoise_ms = timings.denoise;
  info.decode_ms = timings.decode;
  info.first_frame_ms = timings.first_frame;
  info.last_step_to_first_frame_ms = timings.last_step_to_first_frame;
  info.total_ms = timings.total;
  info.session_ms = timings.session;
  fill_tiles(metadata.tiles, &info);
  return info;
}

const char* output_type(const std::uint8_t*) { return "uint8"; }
const char* output_type(const float*) { return "float32"; }

/// Frame `index` of `kept`, which are the video's frames if they are of type Pixel; `other` has those of the other
/// type. Throws InvalidArgument where there is none.
template <typename Pixel, typename Other>
const Pixel* frame_of(const vidrt::Video& video, const std::vector<Pixel>* kept, const std::vector<Other>* other,
                      std::int32_t index) {
  if (kept == nullptr) {
    if (other == nullptr) {
      throw vidrt::InvalidArgument("the frames of this video were not kept; take them in on_frames.");
    }
    const std::string has = output_type(other->data());
    throw vidrt::InvalidArgument("the frames of this video are " + has + ", asked for as " +
                                 output_type(static_cast<const Pixel*>(nullptr)) + "; call vidrt_video_frame" +
                                 (has == "float32" ? "_float" : "") + " or set the options' output_type.");
  }
  if (index < 0 || index >= video.num_frames) {
    throw vidrt::InvalidArgument("index is " + std::to_string(index) + "; expected 0 to " +
                                 std::to_string(video.num_frames - 1) + ".");
  }
  const std::size_t size = static_cast<std::size_t>(video.height) * static_cast<std::size_t>(video.width) * 3;
  return kept->data() + static_cast<std::size_t>(index) * size;
}

}  // namespace

extern "C" {

vidrt_status vidrt_prompt_embeds_load(const char* path, vidrt_prompt_embeds** embeds) noexcept {
  return give_handle(embeds, "embeds", [&] {
    required(path, "path");
    return new vidrt_prompt_embeds{vidrt::PromptEmbeds::load(path)};
  });
}

vidrt_status vidrt_prompt_embeds_save(const vidrt_prompt_embeds* embeds, const char* path) noexcept {
  return guarded([&] {
    required(path, "path");
    required(embeds, "embeds").embeds.save(path);
  });
}

vidrt_status vidrt_prompt_embeds_get_info(const vidrt_prompt_embeds* embeds, vidrt_prompt_embeds_info* info) noexcept {
  return guarded([&] {
    const vidrt::PromptEmbeds& source = required(embeds, "embeds").embeds;
    vidrt_prompt_embeds_info filled{};
    filled.prompt = source.prompt.c_str();
    filled.encoder_id = source.encoder_id.c_str();
    filled.length = source.length;
    filled.dim = source.dim;
    filled.values = source.values.data();
    filled.mask = source.mask.data();
    write_struct("info", filled, info);
  });
}

void vidrt_prompt_embeds_free(vidrt_prompt_embeds* embeds) noexcept { delete embeds; }

vidrt_status vidrt_video_get_info(const vidrt_video* video, vidrt_video_info* info) noexcept {
  return guarded([&] { write_struct("info", describe(required(video, "video").video), info); });
}

const uint8_t* vidrt_video_frame(const vidrt_video* video, int32_t index) noexcept {
  const std::uint8_t* frame = nullptr;
  guarded([&] {
    const vidrt::Video& given = required(video, "video").video;
    frame = frame_of(given, given.rgb.get(), given.rgb_float.get(), index);
  });
  return frame;
}

const float* vidrt_video_frame_float(const vidrt_video* video, int32_t index) noexcept {
  const float* frame = nullptr;
  guarded([&] {
    const vidrt::Video& given = required(video, "video").video;
    frame = frame_of(given, given.rgb_float.get(), given.rgb.get(), index);
  });
  return frame;
}

const char* vidrt_video_warning(const vidrt_video* video, int32_t index) noexcept {
  if (video == nullptr || index < 0) return nullptr;
  const auto& warnings = video->video.metadata.warnings;
  const auto at = static_cast<std::size_t>(index);
  return at < warnings.size() ? warnings[at].c_str() : nullptr;
}

void vidrt_video_free(vidrt_video* video) noexcept { delete video; }

}  // extern "C"
