// Copies from the host's memory that are queued, although the memory may change at once.
#pragma once

#include <array>
#include <cstddef>

#include "cuda/cuda_handles.h"

namespace vidrt {

/// Takes what is copied, part by part, into two page-locked buffers: while the device reads one, the host fills the
/// other. Whoever owns it waits for `stream` before it ends.
class HostUpload {
 public:
  void copy(void* to, const void* from, std::size_t bytes, cudaStream_t stream);

 private:
  // Some 50 microseconds on a bus: longer than it takes to queue a copy, and little memory.
  static constexpr std::size_t kBytes = std::size_t{1} << 20;

  struct Buffer {
    PinnedMemory memory{kBytes};
    CudaEvent copied;
  };
  std::array<Buffer, 2> buffers_;
  std::size_t next_ = 0;
};

}  // namespace vidrt
