#include "cuda/host_upload.h"

#include <algorithm>
#include <cstring>

#include "cuda/cuda_call.h"

namespace vidrt {

void HostUpload::copy(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  for (std::size_t done = 0; done < bytes; done += kBytes) {
    const std::size_t part = std::min(kBytes, bytes - done);
    Buffer& buffer = buffers_[next_];
    next_ = 1 - next_;
    buffer.copied.wait();
    std::memcpy(buffer.memory.data(), source + done, part);
    check_cuda(cudaMemcpyAsync(target + done, buffer.memory.data(), part, cudaMemcpyHostToDevice, stream),
               "copying to the device");
    buffer.copied.record(stream);
  }
}

}  // namespace vidrt
