// What a generation will do and need, known before any weight is read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "vidrt/api.h"

namespace vidrt {

/// One tensor of the arena: where it lies and from which to which stage it lives (both inclusive).
struct PlannedTensor {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  int first_stage = 0;
  int last_stage = 0;
};

/// One module as it will be loaded.
struct PlannedModule {
  std::string name;
  std::uint64_t weight_bytes = 0;          // in the compute dtype
  std::uint64_t streamed_bytes = 0;        // of these, streamed in every run (a GPU) or left in the file (the processor)
  std::uint64_t packed_bytes = 0;          // what its backend holds besides: weights in the kernels' order, the graph
  std::uint64_t activation_bytes = 0;      // the backend's own memory in a run
  std::vector<double> activation_terms{};  // of the sizes of its runs, in which activations are measured
};

/// The tiles in which the decoder makes a frame; in pixels. One tile is the whole frame.
struct PlannedTiles {
  int rows = 1, columns = 1;
  int height = 0, width = 0;                  // of every tile
  int overlap_height = 0, overlap_width = 0;  // the least between neighbours; 0 where there is but one
};

/// What one stage takes of the device's memory.
struct StageMemory {
  std::uint64_t weight_bytes = 0;      // of the modules that are loaded, in the compute dtype
  std::uint64_t packed_bytes = 0;      // what backends hold of them besides; 0 unless GenerationPlan::activations_known
  std::uint64_t activation_bytes = 0;  // of the module that runs; 0 unless GenerationPlan::activations_known
  std::uint64_t arena_bytes = 0;       // where memory is taken as it is written (the processor's): up to this stage

  std::uint64_t total_bytes() const { return weight_bytes + packed_bytes + activation_bytes + arena_bytes; }
};

struct GenerationPlan {
  int height = 0, width = 0, num_frames = 0;
  int latent_frames = 0, latent_height = 0, latent_width = 0;
  int num_inference_steps = 0;              // that run: of those asked for the part `strength`
  std::string guidance;                     // "batched" | "sequential" | "off"
  std::string image_conditioning = "none";  // "none" | "first_latent_frame", where an image is given
  double strength = 0.0;                    // of a generation that starts from a clip; 0 = it starts from noise
  double step_cache = 0.0;                  // threshold; 0 = every step runs the denoiser
  int decode_chunk = 0;                     // latent frames a call of the decoder takes
  PlannedTiles tiles;
  std::vector<std::string> stages;        // names of the stage indices used by PlannedTensor
  std::vector<StageMemory> stage_memory;  // of each
  std::vector<PlannedTensor> tensors;
  std::uint64_t arena_bytes = 0;     // with reuse
  std::uint64_t unshared_bytes = 0;  // the same tensors without reuse
  // "all": every module stays loaded; "stage_by_stage": one stage's at a time; "stream": the same, and of some only a
  // part of the weights is on the device.
  std::string residency;
  std::uint64_t weight_bytes = 0;      // the most of a stage
  std::vector<PlannedModule> modules;  // in the order in which they run
  // Both 0 unless activations_known: what was measured on this machine (docs/memory.md), or lies in the arena.
  std::uint64_t packed_bytes = 0;      // the most of a stage
  std::uint64_t activation_bytes = 0;  // the most of a stage: what one has used, the next uses again
  bool activations_known = false;

  /// The most of a stage, all together: what a memory budget is compared with.
  std::uint64_t total_bytes() const {
    std::uint64_t most = 0;
    for (const StageMemory& stage : stage_memory) most = std::max(most, stage.total_bytes());
    return most;
  }
};

}  // namespace vidrt
