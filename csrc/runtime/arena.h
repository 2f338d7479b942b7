// One block of memory that serves a MemoryPlan.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "runtime/device.h"
#include "runtime/memory_plan.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// Owns the block, which lies on a device; views point into it and die with it. Grows by reallocating: never while
/// views are in use.
class Arena {
 public:
  explicit Arena(Device& device = host_device()) : device_(device) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  /// Make room for at least `bytes`. Keeps nothing of the old contents. Throws OutOfMemory.
  void reserve(std::size_t bytes);
  /// What lies in it is of no use any more, and need take no memory until it is written again.
  void discard() { device_.discard(data_, capacity_); }
  /// Give the block back.
  void release() noexcept;

  std::size_t capacity() const { return capacity_; }
  /// A view at an offset of the plan. Throws InvalidArgument when it would leave the block.
  TensorView view(std::size_t offset, DType dtype, Shape shape) const;

 private:
  Device& device_;
  std::byte* data_ = nullptr;
  std::atomic<std::size_t> capacity_{0};  // a plan may ask while a generation makes room
};

}  // namespace vidrt
