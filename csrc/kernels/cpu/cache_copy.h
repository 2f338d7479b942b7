// cache_out: the frames that a later call has to know, copied as bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/depthwise_conv3d.h"

namespace vidrt::kernels {

class CacheCopy {
 public:
  CacheCopy(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors)
      : problem_(problem),
        tensors_(tensors),
        planes_(problem.attributes.data_layout == DataLayout::kNCTHW ? problem.x.n * problem.x.c : problem.x.n),
        frame_bytes_(static_cast<std::size_t>(problem.x.elements() / planes_ / problem.x.t) * size_of(problem.type)) {}

  std::int64_t planes() const { return tensors_.cache_out == nullptr ? 0 : planes_; }

  void copy(std::int64_t plane) const {
    const std::int64_t past = problem_.cache_frames;
    auto* to = static_cast<unsigned char*>(tensors_.cache_out) + plane * past * frame_bytes_;
    for (std::int64_t i = 0; i < past; ++i, to += frame_bytes_) {
      const unsigned char* from = frame(plane, problem_.x.t - past + i);
      if (from == nullptr) {
        std::memset(to, 0, frame_bytes_);
      } else {
        std::memcpy(to, from, frame_bytes_);
      }
    }
  }

 private:
  const unsigned char* frame(std::int64_t plane, std::int64_t t) const {
    if (t < 0 && tensors_.cache_in != nullptr) {
      const std::int64_t past = problem_.cache_frames;
      return static_cast<const unsigned char*>(tensors_.cache_in) + (plane * past + past + t) * frame_bytes_;
    }
    if (t < 0 && problem_.attributes.temporal_pad_mode == PadMode::kZeros) return nullptr;
    t = std::max<std::int64_t>(t, 0);
    return static_cast<const unsigned char*>(tensors_.x) + (plane * problem_.x.t + t) * frame_bytes_;
  }

  const DepthwiseConv3dProblem& problem_;
  const DepthwiseConv3dTensors& tensors_;
  std::int64_t planes_;
  std::size_t frame_bytes_;
};

}  // namespace vidrt::kernels
