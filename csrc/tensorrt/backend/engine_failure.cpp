#include "tensorrt/backend/engine_failure.h"

#include "vidrt/errors.h"

namespace vidrt::trt {

void fail_in_tensorrt(const std::string& what, const std::string& said, const Device& device, std::uint64_t bytes) {
  // The CUDA runtime's words, and those of TensorRT's own error code.
  const bool is_memory =
      said.find("out of memory") != std::string::npos || said.find("OutOfMemory") != std::string::npos;
  if (!is_memory) throw BackendError(what + said);
  const std::string state = device.memory_state();
  std::string needed = said.back() == '.' ? "" : ".";
  if (bytes != 0) {
    needed += " It takes " + refusal(device, bytes) + " or more.";
  } else if (!state.empty()) {
    needed += " Now " + state + ".";
  }
  throw OutOfMemory(what + said + needed +
                    " Free memory on the device, give a memory_budget below what is free, so that modules are loaded "
                    "one stage at a time, choose a smaller size, or build engines for smaller sizes.");
}

}  // namespace vidrt::trt
