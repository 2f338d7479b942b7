// Which weights stay on the host and are streamed to the device while their module runs, where not all fit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "runtime/layout_builder.h"

namespace vidrt {

/// A layout of stage by stage in which that much of each module's weights is streamed.
using LayOutStreamed = std::function<GenerationLayout(const StreamedWeights& streamed)>;

/// The layout that keeps the most weights on the device of those that take at most `limit` bytes; nothing where none
/// does, or where nothing can be streamed. `least` is lowered to the bytes of the one that takes least.
std::optional<GenerationLayout> stream_weights(const LayOutStreamed& lay_out, std::uint64_t limit,
                                               std::uint64_t* least);

/// What a denoising step streams, in bytes: the measure of what streaming costs. A layout's denoiser runs twice a step
/// where guidance is sequential.
std::uint64_t streamed_a_step(const GenerationLayout& layout);

}  // namespace vidrt
