#include "runtime/weight_streaming.h"

#include <algorithm>
#include <map>
#include <utility>

namespace vidrt {
namespace {

// Modules that are loaded together: those of the decoder's two stages are.
PlanStage loaded_with(const ModuleLoad& load) { return std::min(load.stage, kPlanDecodeFirst); }

// What has to be streamed so that every stage's weights take at most `room` bytes; nothing where that is not enough.
// Of modules that are loaded together the first comes first: a decoder's first step runs once a clip.
std::optional<StreamedWeights> excess_over(std::uint64_t room, const GenerationLayout& layout) {
  std::map<PlanStage, std::uint64_t> excess;
  for (const ModuleLoad& load : layout.modules) excess[loaded_with(load)] += load.needs.weight_bytes;
  for (auto& [stage, bytes] : excess) bytes -= std::min(bytes, room);
  StreamedWeights streamed;
  for (const ModuleLoad& load : layout.modules) {
    std::uint64_t& left = excess[loaded_with(load)];
    const std::uint64_t cut = std::min(left, load.needs.streamable_bytes);
    if (cut != 0) streamed[load.name] = cut;
    left -= cut;
  }
  const bool fits = std::all_of(excess.begin(), excess.end(), [](const auto& entry) { return entry.second == 0; });
  return fits ? std::optional(streamed) : std::nullopt;
}

// What has to be streamed so that the stage whose weights leave the most on the device decides, and no more: where more
// is streamed the weights take no less, and the arena may take more.
StreamedWeights most_that_helps(const GenerationLayout& layout) {
  std::map<PlanStage, std::uint64_t> left;
  for (const ModuleLoad& load : layout.modules) {
    left[loaded_with(load)] += load.needs.weight_bytes - load.needs.streamable_bytes;
  }
  std::uint64_t floor = 0;
  for (const auto& [stage, bytes] : left) floor = std::max(floor, bytes);
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
    if (layout.plan.arena_bytes > limit) break;
    std::optional<StreamedWeights> streamed = excess_over(limit - layout.plan.arena_bytes, layout);
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
