// Lifetimes to offsets: places tensors in one arena so that tensors alive at the same time never overlap.
// Pure arithmetic: no device, no allocation of what it plans.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vidrt {

inline constexpr std::size_t kArenaAlignment = 256;  // what TensorRT asks of memory for activations; a cache line is 64

/// A tensor to place. It lives from the start of step `first` to the end of step `last`, both inclusive.
struct PlanTensor {
  std::string name;
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // of the tensors, in the order given; multiples of the alignment
  std::size_t arena_bytes = 0;
};

/// Place tensors. The peak is never worse than the best of greedy-by-size, greedy-by-breadth and best-fit.
/// Throws InvalidArgument when last < first or the sizes overflow.
MemoryPlan plan_memory(const std::vector<PlanTensor>& tensors, std::size_t alignment = kArenaAlignment);

/// The most bytes alive at any one step: no plan can be smaller.
std::size_t liveness_bound(const std::vector<PlanTensor>& tensors, std::size_t alignment = kArenaAlignment);

}  // namespace vidrt
