// Frames from the device to the host, while the device goes on.
#pragma once

#include <array>
#include <cstddef>

#include "cuda/cuda_handles.h"
#include "runtime/device.h"

namespace vidrt {

class CudaDevice;

/// Frames are converted on the device and copied to page-locked memory, of which there is one block for the frames that
/// the host takes and one for those that come next.
class CudaFrameReader : public FrameReader {
 public:
  /// For at most `max_frames` of `pixels` at a time, given out as `output`, of a device that outlives the reader.
  /// Throws OutOfMemory.
  CudaFrameReader(CudaDevice& device, int max_frames, std::int64_t pixels, DType output);
  ~CudaFrameReader() override;

  void begin(const TensorView& frames, int first, int count) override;
  void end(void* rgb) override;

 private:
  struct Slot {
    explicit Slot(std::size_t max_bytes) : rgb(max_bytes) {}
    PinnedMemory rgb;
    CudaEvent copied;
    std::size_t bytes = 0;
  };

  CudaDevice& device_;
  DType output_;
  std::size_t max_bytes_;
  DeviceBuffer rgb_;  // one is enough: the queue copies it before it converts the next frames
  std::array<Slot, 2> slots_;
  std::size_t oldest_ = 0;
  std::size_t begun_ = 0;
};

}  // namespace vidrt
