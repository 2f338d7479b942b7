// The part of an engine's weights that its budget keeps on the device.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vidrt::trt {

/// What ICudaEngine::setWeightStreamingBudgetV2 is given for an engine of which `streamable` bytes of weights may stay
/// on the host and `streamed` of these are to: 0 streams all of them, all of them streams none.
inline std::int64_t weight_budget(std::int64_t streamable, std::uint64_t streamed) {
  return streamable - static_cast<std::int64_t>(std::min(streamed, static_cast<std::uint64_t>(streamable)));
}

}  // namespace vidrt::trt
