// Sizes to a GenerationPlan: which tensors a generation needs, when each lives, where it lies in the arena.
#pragma once

#include "runtime/layout_builder.h"
#include "runtime/memory_limit.h"
#include "runtime/module_set.h"
#include "runtime/resolved_options.h"
#include "runtime/scheduler.h"

namespace vidrt {

/// Plan a generation. All modules resident is preferred, then stage by stage, then that with weights streamed; within
/// the first two, batched guidance (one denoiser run over both prompts), then sequential; of what streams, the one that
/// streams less. Where none of these fits `limit` and frames may be decoded in tiles, the same with tiles. The first
/// that fits is taken. Throws OutOfMemory when none does, naming what the smallest needs and the nearest sizes that
/// fit, and BackendError when nothing can be loaded that takes the sizes.
GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int chunk, const MemoryLimit& limit);

/// Plan the encoding of prompts alone.
GenerationLayout plan_encode(const ModuleSet& modules);

}  // namespace vidrt
