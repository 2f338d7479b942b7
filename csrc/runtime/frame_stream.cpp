#include "runtime/frame_stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace vidrt {

FrameStream::FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const GenerationPlan& plan,
                         const VaeConfig& vae)
    : modules_(modules), tensors_(tensors), plan_(plan), vae_(vae) {
  while (tensors.has("cache_a_" + std::to_string(num_caches_))) ++num_caches_;
}

int FrameStream::next_chunk() const {
  const int wanted = next_latent_ == 0 ? first_chunk_frames(vae_, plan_) : plan_.decode_chunk;
  return std::min(wanted, plan_.latent_frames - next_latent_);
}

int FrameStream::next_frames() const { return decoded_frames(vae_, next_chunk(), next_latent_ == 0); }

TensorView FrameStream::gather_latents(int chunk) const {
  const TensorView latents = row(tensors_["latents"], 0);
  const std::int64_t channels = latents.shape[1];
  const std::size_t frame = static_cast<std::size_t>(latents.shape[3] * latents.shape[4]);
  TensorView gathered = tensors_["decode_latents"];
  gathered.shape[2] = chunk;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* source = latents.as<float>() + static_cast<std::size_t>(c * latents.shape[2] + next_latent_) * frame;
    float* target = gathered.as<float>() + static_cast<std::size_t>(c * chunk) * frame;
    std::memcpy(target, source, static_cast<std::size_t>(chunk) * frame * sizeof(float));
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
  const bool first = next_latent_ == 0;
  const bool causal = vae_.form == "causal";
  const int chunk = next_chunk();
  const char write_bank = read_bank_ == 'a' ? 'b' : 'a';

  TensorView frames = tensors_[first ? "frames_first" : "frames_next"];
  frames.shape[2] = next_frames();
  std::vector<NamedTensor> inputs{{"latents", gather_latents(chunk)}};
  std::vector<NamedTensor> outputs{{"frames", frames}};
  if (causal && !first) bind_caches(&inputs, "cache_in_", read_bank_);
  if (causal) bind_caches(&outputs, "cache_out_", write_bank);

  const char* module = !causal ? "vae_decoder" : (first ? "vae_decoder_first" : "vae_decoder_next");
  modules_.run(module, inputs, outputs);
  frames_to_rgb(frames, rgb);
  read_bank_ = write_bank;
  next_latent_ += chunk;
}

void frames_to_rgb(const TensorView& frames, std::uint8_t* rgb) {
  const std::int64_t num_frames = frames.shape[2];
  const std::int64_t pixels = frames.shape[3] * frames.shape[4];
  for (std::int64_t f = 0; f < num_frames; ++f) {
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      const float* source = frames.as<float>() + (channel * num_frames + f) * pixels;
      std::uint8_t* target = rgb + f * pixels * 3 + channel;
      for (std::int64_t i = 0; i < pixels; ++i) {
        const float level = std::min(std::max(source[i] * 0.5f + 0.5f, 0.0f), 1.0f);
        target[i * 3] = static_cast<std::uint8_t>(std::nearbyintf(level * 255.0f));
      }
    }
  }
}

}  // namespace vidrt
