// The way to decode latents that fits a limit of memory.
#pragma once

#include "runtime/layout_builder.h"
#include "runtime/memory_limit.h"
#include "runtime/module_set.h"
#include "runtime/resolved_options.h"

namespace vidrt {

/// Plan the decoding of latents that a caller holds: whole frames where they may be, with weights streamed where that
/// does not fit `limit` otherwise, then in tiles, likewise.
/// Throws OutOfMemory when that is too small all the same, and what decode_chunk() throws.
GenerationLayout plan_decode(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                             int chunk, const MemoryLimit& limit);

}  // namespace vidrt
