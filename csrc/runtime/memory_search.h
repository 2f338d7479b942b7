// The placing of blocks by which plan_memory works: one order at a time, and a search over orders.
#pragma once

#include <cstddef>
#include <vector>

#include "runtime/memory_plan.h"

namespace vidrt {

/// A tensor reduced to what matters for its place: aligned bytes and lifetime, both ends inclusive.
struct Block {
  std::size_t bytes;
  int first;
  int last;

  bool lives_with(const Block& other) const { return first <= other.last && other.first <= last; }
};

/// Indices of blocks in the order in which they are placed.
using Order = std::vector<std::size_t>;

/// Which gap between the placed blocks a new one takes: the lowest that holds it, or the smallest.
enum class GapRule { kLowest, kTightest };

MemoryPlan place_in_order(const std::vector<Block>& blocks, const Order& order, GapRule rule);

/// Look for a plan with a smaller arena than `best`, beginning from the order that gave it; stops at `bound`.
/// Exhaustive for up to 8 blocks: the result is then optimal. Deterministic, with bounded work for more.
void improve_plan(const std::vector<Block>& blocks, std::size_t bound, Order order, MemoryPlan* best);

}  // namespace vidrt
