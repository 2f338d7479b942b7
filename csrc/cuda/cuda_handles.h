// Owners of CUDA's objects. None waits for work that uses it: whoever owns one does, before it ends.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace vidrt {

/// A queue of the current device. It waits for the legacy default stream and that for it: ONNX Runtime copies through
/// that one what a graph wants in the host's memory, and would otherwise do so before the values are there.
class CudaQueue {
 public:
  CudaQueue();
  CudaQueue(const CudaQueue&) = delete;
  CudaQueue& operator=(const CudaQueue&) = delete;
  ~CudaQueue() { cudaStreamDestroy(stream_); }

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A place in a queue that can be waited for.
class CudaEvent {
 public:
  CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  ~CudaEvent() { cudaEventDestroy(event_); }

  /// The place is behind what has been queued so far.
  void record(cudaStream_t stream);
  /// Wait until the queue has come to the place, without keeping the processor busy. At once where there is none yet.
  void wait();

 private:
  cudaEvent_t event_ = nullptr;
};

/// Memory of the host that the device copies from and to by itself.
class PinnedMemory {
 public:
  /// Throws OutOfMemory.
  explicit PinnedMemory(std::size_t bytes);
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  ~PinnedMemory() { cudaFreeHost(data_); }

  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

}  // namespace vidrt
