// The CUDA device of the product over the emulated CUDA runtime, for reference sessions.
#pragma once

#include <memory>
#include <string>

#include "cuda_host/emulator/runtime.h"
#include "runtime/gpu_device.h"
#include "support/test_device.h"

namespace vidrt::testing {

/// Sessions are queued on the device's stream, as those of a backend are. What a session throws is the device's end.
class EmulatedCuda : public TestDevice {
 public:
  explicit EmulatedCuda(std::shared_ptr<GpuDevice> device) : device_(std::move(device)) {}

  Device& device() override { return *device_; }
  void run(const Tensors& inputs, const Tensors& outputs, Compute compute) override;
  void settle() noexcept override;
  std::size_t blocks() const override { return cuda_host::Runtime::get().alive(); }

 private:
  std::shared_ptr<GpuDevice> device_;
};

}  // namespace vidrt::testing
