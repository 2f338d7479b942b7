// Planes of floats to interleaved bytes or floats. A thread converts four pixels; a block puts its 3 KiB, or 12 KiB of
// floats, together in shared memory and writes neighbours in words of 16 bytes.
#include <type_traits>

#include "kernels/cuda/alignment.h"
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

constexpr int kPixels = 4;  // of a thread: one word of each plane
constexpr std::int64_t kBlockPixels = kThreads * kPixels;
// What a thread puts together, in elements of 4 bytes.
template <typename Value>
using RgbPart = std::conditional_t<sizeof(Value) == 1, std::uint32_t, float>;
template <typename Value>
constexpr int kRgbParts = static_cast<int>(kPixels * 3 * sizeof(Value) / sizeof(RgbPart<Value>));
template <typename Value>
constexpr int kBlockBytes = static_cast<int>(kPixels * 3 * sizeof(Value)) * kThreads;

using RgbWord = cuda::Vector<std::uint32_t, 4>;

/// NaN becomes 0.
__device__ __forceinline__ float level_of(float value) {
  const float level = cuda::sum(cuda::product(value, 0.5f), 0.5f);
  return level > 0.0f ? (level < 1.0f ? level : 1.0f) : 0.0f;
}

/// Set value `index` of a thread, which is zero yet: a byte of a word, or a float.
__device__ __forceinline__ void set_level(std::uint32_t* parts, int index, float level) {
  parts[index / 4] |= static_cast<std::uint32_t>(cuda::nearest(cuda::product(level, 255.0f))) << (8 * (index % 4));
}
__device__ __forceinline__ void set_level(float* parts, int index, float level) { parts[index] = level; }

/// `pixel` counts through all frames that are converted.
__device__ __forceinline__ const float* plane_at(const LoopFrames& p, std::int64_t pixel, int channel) {
  const std::int64_t frame = pixel / p.pixels;
  return p.planes + (channel * p.num_frames + p.first + frame) * p.pixels + (pixel - frame * p.pixels);
}

/// kReadsWords: the pixels of a thread are neighbours in one frame, aligned.
template <typename Value, bool kReadsWords>
__global__ void __launch_bounds__(kThreads) frames_to_rgb(const __grid_constant__ LoopFrames p, Value* rgb) {
  const std::int64_t total = p.count * p.pixels;
  const std::int64_t pixel = thread_in_grid() * kPixels;
  RgbPart<Value> parts[kRgbParts<Value>] = {};
#pragma unroll
  for (int channel = 0; channel < 3; ++channel) {
    Wide values = cuda::splat<float, kPixels>(-1.0f);
    if constexpr (kReadsWords) {
      if (pixel < total) values = cuda::load_global<Wide>(plane_at(p, pixel, channel));
    } else {
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        if (pixel + i < total) values.values[i] = cuda::load_global<float>(plane_at(p, pixel + i, channel));
      }
    }
#pragma unroll
    for (int i = 0; i < kPixels; ++i) set_level(parts, 3 * i + channel, level_of(values.values[i]));
  }

  auto* block_rgb = reinterpret_cast<RgbPart<Value>*>(cuda::shared_memory());
#pragma unroll
  for (int i = 0; i < kRgbParts<Value>; ++i) {
    cuda::store_shared(block_rgb + threadIdx.x * kRgbParts<Value> + i, parts[i]);
  }
  cuda::wait_for_block();
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kBlockBytes<Value>;
  const std::int64_t end = total * 3 * static_cast<std::int64_t>(sizeof(Value));
  constexpr int kStride = kThreads * static_cast<int>(sizeof(RgbWord));
  for (int offset = static_cast<int>(threadIdx.x * sizeof(RgbWord)); offset < kBlockBytes<Value>; offset += kStride) {
    if (begin + offset >= end) break;
    const auto* from = reinterpret_cast<const unsigned char*>(block_rgb) + offset;
    cuda::store_global(reinterpret_cast<unsigned char*>(rgb) + begin + offset, cuda::load_shared<RgbWord>(from));
  }
}

template <typename Value>
CudaError launch_frames_to_rgb(const LoopFrames& frames, Value* rgb, CudaStream stream) {
  const std::int64_t blocks = (frames.count * frames.pixels + kBlockPixels - 1) / kBlockPixels;
  if (blocks == 0) return cudaSuccess;
  if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
  const cuda::LaunchShape shape = {static_cast<std::uint32_t>(blocks), kThreads, kBlockBytes<Value>};
  const bool reads_words = frames.pixels % kPixels == 0 && cuda::is_aligned(frames.planes, sizeof(Wide));
  return reads_words ? cuda::launch(frames_to_rgb<Value, true>, shape, stream, frames, rgb)
                     : cuda::launch(frames_to_rgb<Value, false>, shape, stream, frames, rgb);
}

}  // namespace loop

CudaError loop_rgb_cuda(const LoopFrames& frames, unsigned char* rgb, CudaStream stream) {
  return loop::launch_frames_to_rgb(frames, rgb, stream);
}

CudaError loop_rgb_cuda(const LoopFrames& frames, float* rgb, CudaStream stream) {
  return loop::launch_frames_to_rgb(frames, rgb, stream);
}

}  // namespace vidrt::kernels
