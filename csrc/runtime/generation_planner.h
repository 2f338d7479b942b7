// Sizes to a GenerationPlan: which tensors a generation needs, when each lives, where it lies in the arena.
#pragma once

#include <cstdint>

#include "runtime/layout_builder.h"
#include "runtime/module_set.h"
#include "runtime/resolved_options.h"
#include "runtime/scheduler.h"

namespace vidrt {

/// Plan a generation. Batched guidance (one denoiser run over both prompts) is preferred, then sequential; all modules
/// resident is preferred, then stage by stage; the first that fits `memory_budget` (0 = no limit) is taken.
/// Throws OutOfMemory when none does, naming what the smallest needs, and BackendError when nothing can be loaded that
/// takes the sizes.
GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int chunk, std::uint64_t memory_budget);

/// Plan the encoding of prompts alone.
GenerationLayout plan_encode(const ModuleSet& modules);

}  // namespace vidrt
