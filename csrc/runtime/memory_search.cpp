#include "runtime/memory_search.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace vidrt {
namespace {

constexpr std::size_t kExhaustiveBlocks = 8;
constexpr std::size_t kSearchWork = 4'000'000;  // pairs of blocks looked at: some tens of milliseconds

// Tries every order, placing each block on top of those it lives with. Enough for the optimum: the blocks of any best
// plan, taken by rising offset and dropped onto the earlier ones, all end at or below their old offsets.
class ExhaustiveSearch {
 public:
  ExhaustiveSearch(const std::vector<Block>& blocks, std::size_t bound, MemoryPlan* best)
      : blocks_(blocks), bound_(bound), best_(best), offsets_(blocks.size(), 0), placed_(blocks.size(), false) {}

  void run() { descend(0, 0); }

 private:
  void descend(std::size_t depth, std::size_t peak) {
    if (depth == blocks_.size()) {
      *best_ = {offsets_, peak};
      return;
    }
    for (std::size_t i = 0; i < blocks_.size() && best_->arena_bytes > bound_; ++i) {
      if (placed_[i]) continue;
      const std::size_t offset = top_below(i);
      const std::size_t end = std::max(peak, offset + blocks_[i].bytes);
      if (end >= best_->arena_bytes) continue;
      placed_[i] = true;
      offsets_[i] = offset;
      descend(depth + 1, end);
      placed_[i] = false;
    }
  }

  std::size_t top_below(std::size_t index) const {
    std::size_t top = 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (placed_[i] && blocks_[i].lives_with(blocks_[index])) top = std::max(top, offsets_[i] + blocks_[i].bytes);
    }
    return blocks_[index].bytes == 0 ? 0 : top;
  }

  const std::vector<Block>& blocks_;
  const std::size_t bound_;
  MemoryPlan* best_;
  std::vector<std::size_t> offsets_;
  std::vector<bool> placed_;
};

// Places again and again, each time with a block that reached the peak moved to the front of the order.
void promote_peaks(const std::vector<Block>& blocks, std::size_t bound, Order order, MemoryPlan* best) {
  const std::size_t rounds = kSearchWork / (blocks.size() * blocks.size() + 1);
  GapRule rule = GapRule::kLowest;
  for (std::size_t round = 0; round < rounds && best->arena_bytes > bound; ++round) {
    MemoryPlan plan = place_in_order(blocks, order, rule);
    const auto reaches_peak = [&](std::size_t i) { return plan.offsets[i] + blocks[i].bytes == plan.arena_bytes; };
    const auto guilty = std::find_if(order.rbegin(), order.rend(), reaches_peak);
    // Already in front means that this rule runs in a circle; the other may leave it.
    if (guilty == order.rend() || guilty == order.rend() - 1) {
      rule = rule == GapRule::kLowest ? GapRule::kTightest : GapRule::kLowest;
    } else {
      // Not all the way on every other round: short moves reach orders that jumps to the front never do.
      const auto target = round % 2 == 0 ? order.rend() : guilty + (order.rend() - guilty) / 2 + 1;
      std::rotate(guilty, guilty + 1, target);
    }
    if (plan.arena_bytes < best->arena_bytes) *best = std::move(plan);
  }
}

}  // namespace

MemoryPlan place_in_order(const std::vector<Block>& blocks, const Order& order, GapRule rule) {
  MemoryPlan plan;
  plan.offsets.assign(blocks.size(), 0);
  std::vector<std::size_t> by_offset;  // blocks placed so far
  for (std::size_t index : order) {
    const Block& block = blocks[index];
    if (block.bytes == 0) continue;  // takes no room, so any offset will do
    constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
    std::size_t chosen = kNone;
    std::size_t smallest_gap = kNone;
    std::size_t end = 0;  // of the blocks below the gap that live together with this one
    for (std::size_t other : by_offset) {
      if (!blocks[other].lives_with(block)) continue;
      const std::size_t offset = plan.offsets[other];
      if (offset > end && offset - end >= block.bytes && offset - end < smallest_gap) {
        chosen = end;
        smallest_gap = offset - end;
        if (rule == GapRule::kLowest) break;
      }
      end = std::max(end, offset + blocks[other].bytes);
    }
    plan.offsets[index] = chosen == kNone ? end : chosen;
    plan.arena_bytes = std::max(plan.arena_bytes, plan.offsets[index] + block.bytes);
    const auto above = [&](std::size_t offset, std::size_t other) { return offset < plan.offsets[other]; };
    by_offset.insert(std::upper_bound(by_offset.begin(), by_offset.end(), plan.offsets[index], above), index);
  }
  return plan;
}

void improve_plan(const std::vector<Block>& blocks, std::size_t bound, Order order, MemoryPlan* best) {
  if (blocks.size() <= kExhaustiveBlocks) {
    ExhaustiveSearch(blocks, bound, best).run();
  } else {
    promote_peaks(blocks, bound, std::move(order), best);
  }
}

}  // namespace vidrt
