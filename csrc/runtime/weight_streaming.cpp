#include "runtime/weight_streaming.h"

#include <algorithm>
#include <utility>

namespace vidrt {
namespace {

// The most that a stage which this module runs in would take with all of the module's weights on the device.
std::uint64_t unstreamed_bytes(const ModuleLoad& load, const GenerationLayout& layout) {
  std::uint64_t most = 0;
  for (std::size_t stage = load.first; stage <= static_cast<std::size_t>(load.last); ++stage) {
    most = std::max(most, layout.plan.stage_memory[stage].total_bytes());
  }
  return most + layout.streamed_bytes(load.name);
}

// What has to be streamed so that every stage takes at most `limit` bytes; nothing where that is not enough. A stage
// has one module.
std::optional<StreamedWeights> excess_over(std::uint64_t limit, const GenerationLayout& layout) {
  StreamedWeights streamed;
  for (const ModuleLoad& load : layout.modules) {
    const std::uint64_t bytes = unstreamed_bytes(load, layout);
    const std::uint64_t excess = bytes - std::min(bytes, limit);
    if (excess > load.needs.streamable_bytes) return std::nullopt;
    if (excess != 0) streamed[load.name] = excess;
  }
  return streamed;
}

// What has to be streamed so that the stage that can give up least decides, and no more: where more is streamed all
// together take no less, and the arena may take more.
StreamedWeights most_that_helps(const GenerationLayout& layout) {
  std::uint64_t floor = 0;
  for (const ModuleLoad& load : layout.modules) {
    floor = std::max(floor, unstreamed_bytes(load, layout) - load.needs.streamable_bytes);
  }
  return excess_over(floor, layout).value_or(StreamedWeights{});
}

}  // namespace

std::optional<GenerationLayout> stream_weights(const LayOutStreamed& lay_out, std::uint64_t limit,
                                               std::uint64_t* least) {
  GenerationLayout layout = lay_out({});
  const StreamedWeights most = most_that_helps(layout);
  if (most.empty()) return std::nullopt;
  const GenerationLayout smallest = lay_out(most);
  *least = std::min(*least, smallest.total_bytes());
  // A module that begins to stream takes workspace for that, which the others may then have to make room for. It never
  // stops again: so this ends after as many rounds as there are modules.
  for (std::size_t round = 0; round <= layout.modules.size(); ++round) {
    std::optional<StreamedWeights> streamed = excess_over(limit, layout);
    if (!streamed.has_value()) break;
    for (const auto& [name, bytes] : layout.streamed) streamed->emplace(name, 1);
    layout = lay_out(*streamed);
    if (layout.total_bytes() <= limit) return layout;
  }
  // The arena is placed by rules of thumb: more tensors may by chance lie in less.
  return smallest.total_bytes() <= limit ? std::optional(smallest) : std::nullopt;
}

std::uint64_t streamed_a_step(const GenerationLayout& layout) {
  return layout.streamed_bytes("denoiser") * (layout.plan.guidance == "sequential" ? 2 : 1);
}

}  // namespace vidrt
