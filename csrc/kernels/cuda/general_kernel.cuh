// Depthwise convolution with any filter, stride, dilation and size: a thread for each output.
#pragma once

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/general_params.h"

namespace vidrt::kernels::cuda {

/// A position in a clip.
struct GeneralIndex {
  std::int64_t sample, channel, frame, row, column;
};

/// The position of an element; neighbouring threads have neighbouring elements.
__device__ __forceinline__ GeneralIndex index_of(std::int64_t element, const GeneralSize& size) {
  GeneralIndex index;
  const auto take = [&](std::int64_t count) {
    // 64-bit division takes several times as long, and few clips need it.
    if (element <= 0xffffffffll && count <= 0xffffffffll) {
      const auto small = static_cast<std::uint32_t>(element);
      element = small / static_cast<std::uint32_t>(count);
      return static_cast<std::int64_t>(small - static_cast<std::uint32_t>(element) * static_cast<std::uint32_t>(count));
    }
    const std::int64_t whole = element / count;
    const std::int64_t rest = element - whole * count;
    element = whole;
    return rest;
  };
  if (size.is_channels_last) index.channel = take(size.channels);
  index.column = take(size.columns);
  index.row = take(size.rows);
  index.frame = take(size.frames);
  if (!size.is_channels_last) index.channel = take(size.channels);
  index.sample = element;
  return index;
}

__device__ __forceinline__ std::int64_t offset_of(const GeneralIndex& i, const GeneralSize& size) {
  if (size.is_channels_last) {
    return (((i.sample * size.frames + i.frame) * size.rows + i.row) * size.columns + i.column) * size.channels +
           i.channel;
  }
  return (((i.sample * size.channels + i.channel) * size.frames + i.frame) * size.rows + i.row) * size.columns +
         i.column;
}

/// The element at a position whose row and column lie in the picture, and whose frame may lie in the padding or the
/// cache.
template <typename T>
__device__ __forceinline__ T general_input(const GeneralParams& p, GeneralIndex index) {
  if (index.frame < 0 && p.cache_in != nullptr) {
    index.frame += p.cache.frames;
    return load_global<T>(static_cast<const T*>(p.cache_in) + offset_of(index, p.cache));
  }
  if (index.frame < 0 || index.frame >= p.x_size.frames) {
    if (!p.replicates_frames) return T{};
    index.frame = index.frame < 0 ? 0 : p.x_size.frames - 1;
  }
  return load_global<T>(static_cast<const T*>(p.x) + offset_of(index, p.x_size));
}

template <typename T>
__device__ __forceinline__ float general_sum(const GeneralParams& p, const GeneralIndex& out) {
  const T* weight = static_cast<const T*>(p.weight) + out.channel * p.kernel[0] * p.kernel[1] * p.kernel[2];
  float sum = p.bias == nullptr ? 0.0f : widen(load_global<T>(static_cast<const T*>(p.bias) + out.channel));
  GeneralIndex in = out;
  for (int time = 0; time < p.kernel[0]; ++time) {
    in.frame = out.frame * p.strides[0] + time * p.dilations[0] - p.pad_before[0];
    for (int row = 0; row < p.kernel[1]; ++row) {
      in.row = out.row * p.strides[1] + row * p.dilations[1] - p.pad_before[1];
      const bool row_is_in = in.row >= 0 && in.row < p.x_size.rows;
      if (!row_is_in && !p.replicates_edges) continue;
      if (!row_is_in) in.row = in.row < 0 ? 0 : p.x_size.rows - 1;
      float row_sum = 0.0f;  // on its own: the rounding of 343 taps in one sum would show
      for (int column = 0; column < p.kernel[2]; ++column) {
        in.column = out.column * p.strides[2] + column * p.dilations[2] - p.pad_before[2];
        const bool column_is_in = in.column >= 0 && in.column < p.x_size.columns;
        if (!column_is_in && !p.replicates_edges) continue;
        if (!column_is_in) in.column = in.column < 0 ? 0 : p.x_size.columns - 1;
        const int tap = (time * p.kernel[1] + row) * p.kernel[2] + column;
        row_sum = fmaf(widen(load_global<T>(weight + tap)), widen(general_input<T>(p, in)), row_sum);
      }
      sum += row_sum;
    }
  }
  return sum;
}

/// The first threads compute Y, those after them write cache_out.
template <typename T>
__global__ void __launch_bounds__(kGeneralThreads) depthwise_general(const __grid_constant__ GeneralParams p) {
  const std::int64_t element = static_cast<std::int64_t>(blockIdx.x) * kGeneralThreads + threadIdx.x;
  if (element < p.y_elements) {
    float value[] = {general_sum<T>(p, index_of(element, p.y_size))};
    activate(p.activation, value);
    const T* residual = static_cast<const T*>(p.residual);
    const float more = residual == nullptr ? 0.0f : widen(load_global<T>(residual + element));
    store_global(static_cast<T*>(p.y) + element, narrow<T>(value[0] + more));
  } else if (element - p.y_elements < p.cache_elements) {
    GeneralIndex index = index_of(element - p.y_elements, p.cache);
    index.frame += p.x_size.frames - p.cache.frames;
    store_global(static_cast<T*>(p.cache_out) + (element - p.y_elements), general_input<T>(p, index));
  }
}

}  // namespace vidrt::kernels::cuda
