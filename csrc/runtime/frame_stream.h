// Latents to frames, chunk by chunk: a causal decoder carries its caches in two banks that swap roles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/decode_planner.h"
#include "runtime/module_set.h"

namespace vidrt {

class FrameStream {
 public:
  /// `latents` are the finished ones, (1,C,T,h,w) float32; `tensors` hold what add_decode_tensors() asked for.
  FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const TensorView& latents, const GenerationPlan& plan,
              const VaeConfig& vae);

  bool finished() const { return next_call_ == calls_.size(); }
  /// Frames the next call of decode_next() gives.
  int next_frames() const { return calls_[next_call_].wanted; }
  /// Decode one chunk and write it as (next_frames(), H, W, 3) uint8 RGB.
  void decode_next(std::uint8_t* rgb);

 private:
  TensorView gather_latents(const DecodeCall& call) const;
  void bind_caches(std::vector<NamedTensor>* tensors, const char* direction, char bank) const;

  ModuleSet& modules_;
  const ArenaTensors& tensors_;
  const TensorView latents_;
  const std::vector<DecodeCall> calls_;
  const bool causal_;
  int num_caches_ = 0;
  std::size_t next_call_ = 0;
  char read_bank_ = 'b';  // the first step reads nothing and writes bank a
};

/// Frames `first` to `first + count` of (1,3,F,H,W) float32 in [-1,1] to (count,H,W,3) uint8:
/// round(255 * clamp(x / 2 + 1/2)), ties to even, as diffusers' VideoProcessor does.
void frames_to_rgb(const TensorView& frames, int first, int count, std::uint8_t* rgb);

}  // namespace vidrt
