#include "runtime/frame_stream.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "runtime/tile_blend.h"

namespace vidrt {

FrameStream::FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const TensorView& latents,
                         const GenerationPlan& plan, const VaeConfig& vae, DType output,
                         std::function<void(const std::string& module)> before_run)
    : modules_(modules),
      device_(modules.backend().device()),
      tensors_(tensors),
      latents_(latents),
      calls_(decode_calls(vae, plan.latent_frames, plan.decode_chunk)),
      grid_(tile_grid(plan)),
      before_run_(std::move(before_run)) {
  if (vae.form == "causal") {
    caches_.emplace(tensors, cache_specs(modules.variant("vae_decoder_first")), decode_symbols(plan, calls_.front()),
                    grid_.count());
  }
  if (grid_.count() > 1) copy_weights();
  const auto fewer = [](const DecodeCall& a, const DecodeCall& b) { return a.wanted < b.wanted; };
  const int most = std::max_element(calls_.begin(), calls_.end(), fewer)->wanted;
  reader_ = device_.frame_reader(most, plan.height, plan.width, output);
}

void FrameStream::copy_weights() const {
  const auto copy = [&](const TileAxis& axis, const TensorView& table) {
    for (int i = 0; i < axis.count; ++i) {
      const std::vector<float> weights = axis.weights(i, grid_.ratio);
      const TensorView to = row(table, i);
      device_.copy_from_host(to.data, weights.data(), to.bytes());
    }
  };
  copy(grid_.rows, tensors_["tile_row_weights"]);
  copy(grid_.columns, tensors_["tile_column_weights"]);
}

TensorView FrameStream::gather_latents(const DecodeCall& call, int tile) const {
  TensorView gathered = tensors_["decode_latents"];
  gathered.shape[2] = call.given_count;
  const auto bytes = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(float); };
  const std::int64_t channels = latents_.shape[1];
  const std::int64_t frames = latents_.shape[2];
  const std::int64_t height = latents_.shape[3];
  const std::int64_t width = latents_.shape[4];
  const auto* from = latents_.as<std::byte>();
  if (grid_.count() == 1) {
    const std::size_t chunk = bytes(call.given_count * height * width);
    device_.copy_rows(gathered.data, chunk, from + bytes(call.given * height * width), bytes(frames * height * width),
                      chunk, static_cast<std::size_t>(channels));
    return gathered;
  }
  const std::int64_t top = grid_.rows.start(tile / grid_.columns.count);
  const std::int64_t left = grid_.columns.start(tile % grid_.columns.count);
  auto* to = gathered.as<std::byte>();
  const std::size_t row_bytes = bytes(grid_.columns.tile);
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    for (std::int64_t frame = call.given; frame < call.given + call.given_count; ++frame) {
      device_.copy_rows(to, row_bytes, from + bytes(((channel * frames + frame) * height + top) * width + left),
                        bytes(width), row_bytes, static_cast<std::size_t>(grid_.rows.tile));
      to += static_cast<std::size_t>(grid_.rows.tile) * row_bytes;
    }
  }
  return gathered;
}

const char* FrameStream::module_of_next() const {
  if (!caches_.has_value()) return "vae_decoder";
  return started_ == 0 ? "vae_decoder_first" : "vae_decoder_next";
}

void FrameStream::run(const DecodeCall& call, int tile, const TensorView& frames) {
  const bool first = started_ == 0;
  std::vector<NamedTensor> inputs{{"latents", gather_latents(call, tile)}};
  std::vector<NamedTensor> outputs{{"frames", frames}};
  if (caches_.has_value() && first) {
    caches_->bind_first(tile, &outputs);
  } else if (caches_.has_value()) {
    caches_->bind_next(tile, &inputs, &outputs);
  }
  modules_.run(module_of_next(), inputs, outputs, tensors_.workspace(first ? kPlanDecodeFirst : kPlanDecodeNext));
}

void FrameStream::blend(const DecodeCall& call, int tile, const TensorView& from, const TensorView& frames) const {
  const int tile_row = tile / grid_.columns.count;
  const int tile_column = tile % grid_.columns.count;
  TileBlend blend;
  blend.frames = frames;
  blend.tile = from;
  blend.rows = row(tensors_["tile_row_weights"], tile_row).as<float>();
  blend.columns = row(tensors_["tile_column_weights"], tile_column).as<float>();
  blend.first = call.skipped;
  blend.count = call.wanted;
  blend.top = grid_.rows.start(tile_row) * grid_.ratio;
  blend.left = grid_.columns.start(tile_column) * grid_.ratio;
  device_.blend_tile(blend);
}

void FrameStream::start_next() {
  before_run_(module_of_next());
  const DecodeCall& call = calls_[started_];
  const char* step = started_ == 0 ? "first" : "next";
  TensorView frames = tensors_[std::string("frames_") + step];
  if (grid_.count() == 1) {
    frames.shape[2] = call.frames;
    run(call, 0, frames);
    reader_->begin(frames, call.skipped, call.wanted);
  } else {
    TensorView tile_frames = tensors_[std::string("tile_frames_") + step];
    tile_frames.shape[2] = call.frames;
    frames.shape[2] = call.wanted;
    device_.fill(frames, 0.0f);
    for (int tile = 0; tile < grid_.count(); ++tile) {
      run(call, tile, tile_frames);
      blend(call, tile, tile_frames, frames);
    }
    reader_->begin(frames, 0, call.wanted);
  }
  ++started_;
}

void FrameStream::decode_next(void* rgb) {
  if (started_ == next_call_) start_next();
  if (device_.queues_work() && started_ < calls_.size()) start_next();
  reader_->end(rgb);
  ++next_call_;
}

}  // namespace vidrt
