#include "cuda_host/support/emulated_cuda.h"

#include <utility>

#include "vidrt/errors.h"

namespace vidrt::testing {

void EmulatedCuda::run(const Tensors& inputs, const Tensors& outputs, Compute compute) {
  const auto stream = static_cast<cudaStream_t>(device_->stream());
  const cudaError_t error = cuda_host::Runtime::get().queue(stream, [=, compute = std::move(compute)] {
    compute(inputs, outputs);
    return cudaSuccess;
  });
  if (error != cudaSuccess) throw BackendError("a session could not be queued");
}

void EmulatedCuda::settle() noexcept { cudaStreamSynchronize(static_cast<cudaStream_t>(device_->stream())); }

}  // namespace vidrt::testing
