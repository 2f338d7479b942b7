// The stages of a generation before the first step: an image or a clip through the VAE's encoder, and the latents that
// denoising starts from.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/generation.h"
#include "runtime/image_input.h"
#include "runtime/philox.h"
#include "runtime/video_input.h"
#include "vidrt/errors.h"

namespace vidrt {

void Generation::encode_frame(const ArenaTensors& tensors, const TensorView& frame) {
  const std::vector<float> values = normalised_image(frame);
  const TensorView& input = tensors["image"];
  const TensorView& condition = tensors["condition"];
  device().copy_from_host(input.data, values.data(), input.bytes());
  state_.modules.run("vae_encoder", {{"image", input}}, {{"latents", condition}}, tensors.workspace(kPlanEncodeImage));
  if (!device().all_finite(condition)) {
    throw BackendError("the image encoder produced values that are not finite; use a variant of higher precision.");
  }
}

void Generation::encode_image(const ArenaTensors& tensors, const TensorView& image) {
  const Stopwatch stopwatch;
  announce(Stage::kEncodeImage, 0, 1);
  encode_frame(tensors, image);
  video_.timings.encode_image = stopwatch.elapsed_ms();
  announce(Stage::kEncodeImage, 1, 1);
  check_cancelled("after the image was encoded");
}

std::vector<float> Generation::encode_video(const ArenaTensors& tensors, const TensorView& video) {
  const Stopwatch stopwatch;
  const TensorView& condition = tensors["condition"];
  const auto frames = static_cast<std::size_t>(video.shape[0]);
  const auto channels = static_cast<std::size_t>(condition.shape[1]);
  const std::size_t frame_size = static_cast<std::size_t>(condition.elements()) / channels;
  std::vector<float> encoded(channels * frame_size);
  std::vector<float> latents(channels * frames * frame_size);
  const int total = static_cast<int>(frames);
  announce(Stage::kEncodeImage, 0, total);
  for (int done = 0; done < total;) {
    encode_frame(tensors, video_frame(video, done));
    device().copy_to_host(encoded.data(), condition.data, condition.bytes());
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const std::size_t at = (channel * frames + static_cast<std::size_t>(done)) * frame_size;
      std::copy_n(encoded.data() + channel * frame_size, frame_size, latents.data() + at);
    }
    announce(Stage::kEncodeImage, ++done, total);
    check_cancelled("after frame " + std::to_string(done) + " of " + std::to_string(total) + " was encoded");
  }
  video_.timings.encode_image = stopwatch.elapsed_ms();
  return latents;
}

void Generation::fill_latents(const ArenaTensors& tensors, const GenerateOptions& options, const SchedulerTable& table,
                              const std::vector<float>& clip) {
  const TensorView& latents = tensors["latents"];
  std::vector<float> start(static_cast<std::size_t>(row(latents, 0).elements()));
  if (options.latents.has_value()) {
    std::copy_n(options.latents->as<float>(), start.size(), start.data());
  } else {
    fill_standard_normal(video_.metadata.seed, static_cast<std::int64_t>(start.size()), start.data());
  }
  const auto sigma = static_cast<float>(clip.empty() ? table.init_noise_sigma : table.start.sigma);
  if (sigma != 1.0f) {
    for (float& value : start) value *= sigma;
  }
  const auto alpha = static_cast<float>(table.start.alpha);
  for (std::size_t i = 0; i < clip.size(); ++i) start[i] += alpha * clip[i];
  for (std::int64_t i = 0; i < latents.shape[0]; ++i) {
    const TensorView sample = row(latents, i);
    device().copy_from_host(sample.data, start.data(), sample.bytes());
  }
}

}  // namespace vidrt
