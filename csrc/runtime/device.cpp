#include "runtime/device.h"

#include <numeric>

#include "vidrt/errors.h"

namespace vidrt {

std::string refusal(const Device& device, std::size_t bytes) {
  const std::string state = device.memory_state();
  return std::to_string(bytes) + " bytes" + (state.empty() ? "" : " (" + state + ")");
}

DeviceBuffer::DeviceBuffer(Device& device, std::size_t bytes) : device_(device), data_(device.allocate(bytes)) {
  if (data_ == nullptr) {
    throw OutOfMemory("the device refused " + refusal(device, bytes) +
                      "; free memory on it, or lower the height, width or num_frames.");
  }
}

double mean_of_lanes(const float* sums, std::int64_t count) {
  return std::accumulate(sums, sums + kDifferenceLanes, 0.0) / static_cast<double>(count);
}

}  // namespace vidrt
