// Latents to frames, chunk by chunk: a causal decoder carries its caches in two banks that swap roles.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/module_set.h"

namespace vidrt {

class FrameStream {
 public:
  /// `tensors` holds the finished latents in row 0 of "latents" (1,C,T,h,w).
  FrameStream(ModuleSet& modules, const ArenaTensors& tensors, const GenerationPlan& plan, const VaeConfig& vae);

  bool finished() const { return next_latent_ >= plan_.latent_frames; }
  /// Frames the next call of decode_next() gives.
  int next_frames() const;
  /// Decode one chunk and write it as (next_frames(), H, W, 3) uint8 RGB.
  void decode_next(std::uint8_t* rgb);

 private:
  int next_chunk() const;
  TensorView gather_latents(int chunk) const;
  void bind_caches(std::vector<NamedTensor>* tensors, const char* direction, char bank) const;

  ModuleSet& modules_;
  const ArenaTensors& tensors_;
  const GenerationPlan& plan_;
  const VaeConfig& vae_;
  int num_caches_ = 0;
  int next_latent_ = 0;
  char read_bank_ = 'b';  // the first step reads nothing and writes bank a
};

/// (3,F,H,W) float32 in [-1,1] to (F,H,W,3) uint8: round(255 * clamp(x / 2 + 1/2)), ties to even, as diffusers'
/// VideoProcessor does.
void frames_to_rgb(const TensorView& frames, std::uint8_t* rgb);

}  // namespace vidrt
