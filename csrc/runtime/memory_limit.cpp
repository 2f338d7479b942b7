#include "runtime/memory_limit.h"

#include <algorithm>
#include <iomanip>
#include <optional>
#include <sstream>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

// "1234567 bytes (1.2 MiB)": exact, because a budget may miss by little.
std::string byte_string(std::uint64_t bytes) {
  std::ostringstream text;
  text << bytes << " bytes (" << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1024.0 * 1024.0)
       << " MiB)";
  return text.str();
}

}  // namespace

MemoryLimit memory_limit(std::uint64_t memory_budget, const Device& device, std::uint64_t held) {
  if (memory_budget != 0) return {memory_budget, true, ""};
  const std::optional<std::uint64_t> free = device.free_bytes();
  if (!free.has_value()) return {};
  // A part is left for what no plan counts: the frames that are read back, contexts, the allocator's rounding. And a
  // device without a free byte is no device without a limit.
  constexpr std::uint64_t kLeftShare = 16;
  return {std::max<std::uint64_t>(*free - *free / kLeftShare + held, 1), false, device.memory_state()};
}

void fail_over_limit(const std::string& what, std::uint64_t smallest, const MemoryLimit& limit,
                     const std::string& remedy) {
  const std::string needs = what + " needs at least " + byte_string(smallest) + " for weights, tensors and the activations that are known, but ";
  if (limit.is_budget) {
    throw OutOfMemory(needs + "memory_budget is " + byte_string(limit.bytes) + "; give a memory_budget of " +
                      std::to_string(smallest) + " or more, or " + remedy + ".");
  }
  throw OutOfMemory(needs + "the device has " + byte_string(limit.bytes) + " for them (" + limit.state +
                    "); free memory on it, or " + remedy + ".");
}

}  // namespace vidrt
