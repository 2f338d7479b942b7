#include "cuda/cuda_frame_reader.h"

#include <cstring>
#include <stdexcept>

#include "cuda/cuda_call.h"
#include "cuda/cuda_device.h"
#include "kernels/loop/loop_kernels.h"

namespace vidrt {

CudaFrameReader::CudaFrameReader(CudaDevice& device, int max_frames, std::int64_t pixels, DType output)
    : device_(device),
      output_(output),
      max_bytes_(kernels::loop_rgb_room(max_frames, pixels, dtype_bytes(output))),
      rgb_(device, max_bytes_),
      slots_{Slot(max_bytes_), Slot(max_bytes_)} {}

// Copies that were never taken may still be on their way.
CudaFrameReader::~CudaFrameReader() { device_.settle(); }

void CudaFrameReader::begin(const TensorView& frames, int first, int count) {
  const kernels::LoopFrames wanted = {frames.as<float>(), frames.shape.at(2), frames.shape.at(3) * frames.shape.at(4),
                                      first, count};
  if (begun_ == slots_.size()) throw std::logic_error("frames are begun while two others are to be taken");
  if (kernels::loop_rgb_room(count, wanted.pixels, dtype_bytes(output_)) > max_bytes_) {
    throw std::logic_error("more frames than the reader was made for");
  }
  device_.use();
  const auto stream = static_cast<cudaStream_t>(device_.stream());
  const auto launched = output_ == DType::kFloat32
                            ? kernels::loop_rgb_cuda(wanted, static_cast<float*>(rgb_.data()), stream)
                            : kernels::loop_rgb_cuda(wanted, static_cast<unsigned char*>(rgb_.data()), stream);
  check_launch(launched, "converting frames");
  Slot& slot = slots_[(oldest_ + begun_) % slots_.size()];
  slot.bytes = static_cast<std::size_t>(count * wanted.pixels) * 3 * dtype_bytes(output_);
  check_cuda(cudaMemcpyAsync(slot.rgb.data(), rgb_.data(), slot.bytes, cudaMemcpyDeviceToHost, stream),
             "copying frames from the device");
  slot.copied.record(stream);
  ++begun_;
}

void CudaFrameReader::end(void* rgb) {
  if (begun_ == 0) throw std::logic_error("frames are taken that were not begun");
  Slot& slot = slots_[oldest_];
  device_.use();
  slot.copied.wait();
  std::memcpy(rgb, slot.rgb.data(), slot.bytes);
  oldest_ = (oldest_ + 1) % slots_.size();
  --begun_;
}

}  // namespace vidrt
