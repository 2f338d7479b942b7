#include "cuda/cuda_handles.h"

#include <string>

#include "cuda/cuda_call.h"
#include "vidrt/errors.h"

namespace vidrt {

CudaQueue::CudaQueue() { check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamDefault), "making a stream"); }

CudaEvent::CudaEvent() {
  check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync), "making an event");
}

void CudaEvent::record(cudaStream_t stream) { check_cuda(cudaEventRecord(event_, stream), "recording an event"); }

void CudaEvent::wait() { check_cuda(cudaEventSynchronize(event_), "waiting for the device"); }

PinnedMemory::PinnedMemory(std::size_t bytes) {
  const cudaError_t error = cudaMallocHost(&data_, bytes);
  if (error == cudaErrorMemoryAllocation) {
    throw OutOfMemory("the system refused " + std::to_string(bytes) +
                      " bytes of page-locked memory for copies from and to the GPU; free memory of the host.");
  }
  check_cuda(error, "taking page-locked memory");
}

}  // namespace vidrt
