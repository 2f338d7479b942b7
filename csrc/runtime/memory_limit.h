// What weights and arena may take together: the user's budget, or what the device has.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/device.h"

namespace vidrt {

struct MemoryLimit {
  std::uint64_t bytes = 0;  // 0: no limit
  bool is_budget = true;    // the user's; else the device's
  std::string state;        // of the device, for messages: Device::memory_state()

  bool holds(std::uint64_t needed) const { return bytes == 0 || needed <= bytes; }
};

/// The budget where one is given (not 0), else 15/16 of what is free on a device that knows it, with the `held` bytes
/// of it that this pipeline has already.
MemoryLimit memory_limit(std::uint64_t memory_budget, const Device& device, std::uint64_t held);

/// Throws OutOfMemory: `what` needs `smallest` bytes, which `limit` does not hold, and `remedy` is what to do besides
/// giving it more.
[[noreturn]] void fail_over_limit(const std::string& what, std::uint64_t smallest, const MemoryLimit& limit,
                                  const std::string& remedy);

}  // namespace vidrt
