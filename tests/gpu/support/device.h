// The first GPU: whether there is one, its memory and a stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

namespace vidrt::kernels::testing {

/// Why nothing can run here (no driver, no device, one that is too old), or nothing.
std::string why_no_gpu();

/// Throws std::runtime_error with the error's text where there is one. `error` is a cudaError_t.
void check(int error, const char* what);

/// Memory of the device.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) { check(cudaMalloc(&data_, bytes), "cudaMalloc"); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data_); }

  unsigned char* data() const { return static_cast<unsigned char*>(data_); }

 private:
  void* data_ = nullptr;
};

/// Waits for no other stream, not even the default one.
class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(stream_); }

  cudaStream_t get() const { return stream_; }
  void wait() const { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace vidrt::kernels::testing
