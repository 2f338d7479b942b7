#include "runtime/frame_stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace vidrt {

FrameStream::FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const TensorView& latents,
                         const GenerationPlan& plan, const VaeConfig& vae)
    : modules_(modules),
      tensors_(tensors),
      latents_(latents),
      calls_(decode_calls(vae, plan.latent_frames, plan.decode_chunk)),
      causal_(vae.form == "causal") {
  while (tensors.has("cache_a_" + std::to_string(num_caches_))) ++num_caches_;
}

TensorView FrameStream::gather_latents(const DecodeCall& call) const {
  const std::int64_t channels = latents_.shape[1];
  const std::size_t frame = static_cast<std::size_t>(latents_.shape[3] * latents_.shape[4]);
  TensorView gathered = tensors_["decode_latents"];
  gathered.shape[2] = call.given_count;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* source = latents_.as<float>() + static_cast<std::size_t>(c * latents_.shape[2] + call.given) * frame;
    float* target = gathered.as<float>() + static_cast<std::size_t>(c * call.given_count) * frame;
    std::memcpy(target, source, static_cast<std::size_t>(call.given_count) * frame * sizeof(float));
  }
  return gathered;
}

void FrameStream::bind_caches(std::vector<NamedTensor>* tensors, const char* direction, char bank) const {
  for (int i = 0; i < num_caches_; ++i) {
    const std::string index = std::to_string(i);
    tensors->push_back({direction + index, tensors_[std::string("cache_") + bank + "_" + index]});
  }
}

void FrameStream::decode_next(std::uint8_t* rgb) {
  const bool first = next_call_ == 0;
  const DecodeCall& call = calls_[next_call_];
  const char write_bank = read_bank_ == 'a' ? 'b' : 'a';

  TensorView frames = tensors_[first ? "frames_first" : "frames_next"];
  frames.shape[2] = call.frames;
  std::vector<NamedTensor> inputs{{"latents", gather_latents(call)}};
  std::vector<NamedTensor> outputs{{"frames", frames}};
  if (causal_ && !first) bind_caches(&inputs, "cache_in_", read_bank_);
  if (causal_) bind_caches(&outputs, "cache_out_", write_bank);

  const char* module = !causal_ ? "vae_decoder" : (first ? "vae_decoder_first" : "vae_decoder_next");
  modules_.run(module, inputs, outputs);
  frames_to_rgb(frames, call.skipped, call.wanted, rgb);
  read_bank_ = write_bank;
  ++next_call_;
}

void frames_to_rgb(const TensorView& frames, int first, int count, std::uint8_t* rgb) {
  const std::int64_t num_frames = frames.shape[2];
  const std::int64_t pixels = frames.shape[3] * frames.shape[4];
  for (std::int64_t f = 0; f < count; ++f) {
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      const float* source = frames.as<float>() + (channel * num_frames + first + f) * pixels;
      std::uint8_t* target = rgb + f * pixels * 3 + channel;
      for (std::int64_t i = 0; i < pixels; ++i) {
        const float level = std::min(std::max(source[i] * 0.5f + 0.5f, 0.0f), 1.0f);
        target[i * 3] = static_cast<std::uint8_t>(std::nearbyintf(level * 255.0f));
      }
    }
  }
}

}  // namespace vidrt
