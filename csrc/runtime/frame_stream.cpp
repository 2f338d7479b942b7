#include "runtime/frame_stream.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace vidrt {

FrameStream::FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const TensorView& latents,
                         const GenerationPlan& plan, const VaeConfig& vae)
    : modules_(modules),
      device_(modules.backend().device()),
      tensors_(tensors),
      latents_(latents),
      calls_(decode_calls(vae, plan.latent_frames, plan.decode_chunk)),
      causal_(vae.form == "causal") {
  while (tensors.has("cache_a_" + std::to_string(num_caches_))) ++num_caches_;
  const auto fewer = [](const DecodeCall& a, const DecodeCall& b) { return a.wanted < b.wanted; };
  const int most = std::max_element(calls_.begin(), calls_.end(), fewer)->wanted;
  reader_ = device_.frame_reader(most, plan.height, plan.width);
}

TensorView FrameStream::gather_latents(const DecodeCall& call) const {
  const std::size_t frame = static_cast<std::size_t>(latents_.shape[3] * latents_.shape[4]) * sizeof(float);
  TensorView gathered = tensors_["decode_latents"];
  gathered.shape[2] = call.given_count;
  const std::size_t bytes = static_cast<std::size_t>(call.given_count) * frame;
  device_.copy_rows(gathered.data, bytes, latents_.as<std::byte>() + static_cast<std::size_t>(call.given) * frame,
                    static_cast<std::size_t>(latents_.shape[2]) * frame, bytes,
                    static_cast<std::size_t>(latents_.shape[1]));
  return gathered;
}

void FrameStream::bind_caches(std::vector<NamedTensor>* tensors, const char* direction, char bank) const {
  for (int i = 0; i < num_caches_; ++i) {
    const std::string index = std::to_string(i);
    tensors->push_back({direction + index, tensors_[std::string("cache_") + bank + "_" + index]});
  }
}

void FrameStream::start_next() {
  const bool first = started_ == 0;
  const DecodeCall& call = calls_[started_];
  const char write_bank = read_bank_ == 'a' ? 'b' : 'a';

  TensorView frames = tensors_[first ? "frames_first" : "frames_next"];
  frames.shape[2] = call.frames;
  std::vector<NamedTensor> inputs{{"latents", gather_latents(call)}};
  std::vector<NamedTensor> outputs{{"frames", frames}};
  if (causal_ && !first) bind_caches(&inputs, "cache_in_", read_bank_);
  if (causal_) bind_caches(&outputs, "cache_out_", write_bank);

  const char* module = !causal_ ? "vae_decoder" : (first ? "vae_decoder_first" : "vae_decoder_next");
  modules_.run(module, inputs, outputs, tensors_.workspace(first ? kPlanDecodeFirst : kPlanDecodeNext));
  reader_->begin(frames, call.skipped, call.wanted);
  read_bank_ = write_bank;
  ++started_;
}

void FrameStream::decode_next(std::uint8_t* rgb) {
  if (started_ == next_call_) start_next();
  if (device_.queues_work() && started_ < calls_.size()) start_next();
  reader_->end(rgb);
  ++next_call_;
}

}  // namespace vidrt
