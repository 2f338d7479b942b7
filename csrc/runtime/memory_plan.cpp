#include "runtime/memory_plan.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/memory_search.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

std::vector<Block> aligned_blocks(const std::vector<PlanTensor>& tensors, std::size_t alignment) {
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
    throw InvalidArgument("the arena's alignment is " + std::to_string(alignment) + "; a power of two is expected.");
  }
  std::vector<Block> blocks;
  blocks.reserve(tensors.size());
  std::size_t total = 0;
  for (const PlanTensor& tensor : tensors) {
    if (tensor.last < tensor.first) {
      throw InvalidArgument("tensor '" + tensor.name + "' lives from step " + std::to_string(tensor.first) +
                            " to step " + std::to_string(tensor.last) + "; last must not come before first.");
    }
    // Half of the range, so that no sum of two offsets below can wrap.
    constexpr std::size_t kLimit = std::numeric_limits<std::size_t>::max() / 2;
    if (tensor.bytes > kLimit - alignment || total > kLimit - alignment - tensor.bytes) {
      throw InvalidArgument("the tensors' sizes overflow at '" + tensor.name + "' (" + std::to_string(tensor.bytes) +
                            " bytes); lower the height, width or number of frames.");
    }
    const std::size_t bytes = (tensor.bytes + alignment - 1) / alignment * alignment;
    total += bytes;
    blocks.push_back({bytes, tensor.first, tensor.last});
  }
  return blocks;
}

std::size_t alive_bytes(const std::vector<Block>& blocks, int step) {
  std::size_t bytes = 0;
  for (const Block& block : blocks) {
    if (block.first <= step && step <= block.last) bytes += block.bytes;
  }
  return bytes;
}

// The steps at which something begins to live; the most bytes are alive at one of them.
std::vector<int> starting_steps(const std::vector<Block>& blocks) {
  std::vector<int> steps;
  for (const Block& block : blocks) steps.push_back(block.first);
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

std::size_t bound_of(const std::vector<Block>& blocks) {
  std::size_t bound = 0;
  for (int step : starting_steps(blocks)) bound = std::max(bound, alive_bytes(blocks, step));
  return bound;
}

using Before = std::function<bool(const Block&, const Block&)>;

Order sorted_order(const std::vector<Block>& blocks, const Before& before) {
  Order order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return before(blocks[a], blocks[b]); });
  return order;
}

bool larger(const Block& a, const Block& b) { return a.bytes > b.bytes; }

std::int64_t lifetime(const Block& block) { return std::int64_t{block.last} - block.first; }

// Greedy by breadth: the fullest step's tensors first, largest first among them (Pisarchyk and Lee, "Efficient memory
// management for deep neural net inference", arXiv:2001.03288).
Order breadth_order(const std::vector<Block>& blocks) {
  std::vector<std::pair<std::size_t, int>> steps;
  for (int step : starting_steps(blocks)) steps.emplace_back(alive_bytes(blocks, step), step);
  std::stable_sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  const Order by_size = sorted_order(blocks, larger);
  Order order;
  std::vector<bool> taken(blocks.size(), false);
  for (const auto& [breadth, step] : steps) {
    for (std::size_t i : by_size) {
      if (taken[i] || blocks[i].first > step || blocks[i].last < step) continue;
      taken[i] = true;
      order.push_back(i);
    }
  }
  return order;
}

}  // namespace

std::size_t liveness_bound(const std::vector<PlanTensor>& tensors, std::size_t alignment) {
  return bound_of(aligned_blocks(tensors, alignment));
}

MemoryPlan plan_memory(const std::vector<PlanTensor>& tensors, std::size_t alignment) {
  const std::vector<Block> blocks = aligned_blocks(tensors, alignment);
  const std::size_t bound = bound_of(blocks);
  const std::vector<Order> orders = {
      sorted_order(blocks, larger),
      breadth_order(blocks),
      sorted_order(blocks, [](const Block& a, const Block& b) { return a.first < b.first; }),
      sorted_order(blocks, [](const Block& a, const Block& b) { return lifetime(a) > lifetime(b); }),
  };
  MemoryPlan best;
  Order best_order;
  for (const Order& order : orders) {
    for (GapRule rule : {GapRule::kLowest, GapRule::kTightest}) {
      MemoryPlan plan = place_in_order(blocks, order, rule);
      if (!best_order.empty() && plan.arena_bytes >= best.arena_bytes) continue;
      best = std::move(plan);
      best_order = order;
    }
  }
  if (best.arena_bytes > bound) improve_plan(blocks, bound, best_order, &best);
  return best;
}

}  // namespace vidrt
