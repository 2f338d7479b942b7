// Latents to frames, chunk by chunk, each in one tile or several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/decode_planner.h"
#include "runtime/module_set.h"
#include "runtime/tile_caches.h"
#include "runtime/vae_tiling.h"

namespace vidrt {

class FrameStream {
 public:
  /// `latents` are the finished ones, (1,C,T,h,w) float32; `tensors` hold what add_decoder() asked for; frames come as
  /// `output`, kUInt8 or kFloat32. `before_run` is told the module of every chunk before it runs, which it may load.
  FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const TensorView& latents, const GenerationPlan& plan,
              const VaeConfig& vae, DType output, std::function<void(const std::string& module)> before_run);

  bool finished() const { return next_call_ == calls_.size(); }
  /// Frames the next call of decode_next() gives.
  int next_frames() const { return calls_[next_call_].wanted; }
  /// Decode one chunk and write it as (next_frames(), H, W, 3) RGB. Where the device queues work, the chunk after it is
  /// decoded while the host takes this one.
  void decode_next(void* rgb);

 private:
  const char* module_of_next() const;
  void start_next();
  void run(const DecodeCall& call, int tile, const TensorView& frames);
  TensorView gather_latents(const DecodeCall& call, int tile) const;
  void copy_weights() const;
  void blend(const DecodeCall& call, int tile, const TensorView& from, const TensorView& frames) const;

  ModuleSet& modules_;
  Device& device_;
  const ArenaTensors& tensors_;
  const TensorView latents_;
  const std::vector<DecodeCall> calls_;
  const TileGrid grid_;
  std::optional<TileCaches> caches_;  // of a causal decoder
  std::size_t next_call_ = 0;         // whose frames the host takes next
  std::size_t started_ = 0;           // calls that the device has been asked for
  std::unique_ptr<FrameReader> reader_;
  const std::function<void(const std::string& module)> before_run_;
};

}  // namespace vidrt
