// Sizes to a GenerationPlan: which tensors a generation needs, when each lives, where it lies in the arena.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/module_set.h"
#include "runtime/resolved_options.h"
#include "runtime/scheduler.h"
#include "runtime/symbols.h"
#include "vidrt/plan.h"

namespace vidrt {

/// The steps of the plan at which tensors begin and end to live.
enum PlanStage : int { kPlanDenoise = 0, kPlanDecodeFirst = 1, kPlanDecodeNext = 2 };

/// A tensor of the arena: its place in GenerationPlan::tensors together with its type.
struct ArenaTensor {
  PlannedTensor place;
  DType dtype;
  Shape shape;
};

struct GenerationLayout {
  GenerationPlan plan;
  std::vector<ArenaTensor> tensors;  // the same order as plan.tensors
};

/// Names of the modules that decode this bundle's latents, in the order in which they run.
std::vector<std::string> decoder_modules(const VaeConfig& vae);

/// Latent frames the first decoder call takes: 1 for a causal decoder, else as every other call.
int first_chunk_frames(const VaeConfig& vae, const GenerationPlan& plan);

/// Frames that `latent_frames` latent frames become; a causal decoder's very first gives one frame alone.
int decoded_frames(const VaeConfig& vae, int latent_frames, bool from_start);

/// Symbols of the manifest's shapes for a decoder call over `latent_frames` latent frames.
SymbolValues decode_symbols(const VaeConfig& vae, const GenerationPlan& plan, int latent_frames, bool from_start);

/// Bytes a variant's weights take when loaded, in the compute dtype.
std::uint64_t loaded_weight_bytes(const Variant& variant);

/// Plan a generation. Batched guidance (one denoiser run over both prompts) is preferred, then sequential; all modules
/// resident is preferred, then stage by stage; the first that fits `memory_budget` (0 = no limit) is taken.
/// Throws OutOfMemory when none does, naming what the smallest needs.
GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int decode_chunk, std::uint64_t memory_budget);

}  // namespace vidrt
