// Planes of floats to interleaved bytes. A thread converts four pixels; a block puts its 3 KiB together in shared
// memory and writes them in words of 16 bytes, which the pixels' 12 are not.
#include "kernels/cuda/alignment.h"
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

constexpr int kPixels = 4;  // of a thread: one word of each plane, three of RGB
constexpr std::int64_t kBlockPixels = kThreads * kPixels;
constexpr int kRgbWords = kPixels * 3 / static_cast<int>(sizeof(std::uint32_t));
constexpr int kBlockBytes = kThreads * kRgbWords * static_cast<int>(sizeof(std::uint32_t));

using RgbWord = cuda::Vector<std::uint32_t, 4>;

/// NaN becomes 0.
__device__ __forceinline__ std::uint32_t level_of(float value) {
  const float level = cuda::sum(cuda::product(value, 0.5f), 0.5f);
  const float clamped = level > 0.0f ? (level < 1.0f ? level : 1.0f) : 0.0f;
  return static_cast<std::uint32_t>(cuda::nearest(cuda::product(clamped, 255.0f)));
}

/// `pixel` counts through all frames that are converted.
__device__ __forceinline__ const float* plane_at(const LoopFrames& p, std::int64_t pixel, int channel) {
  const std::int64_t frame = pixel / p.pixels;
  return p.planes + (channel * p.num_frames + p.first + frame) * p.pixels + (pixel - frame * p.pixels);
}

/// kReadsWords: the pixels of a thread are neighbours in one frame, aligned.
template <bool kReadsWords>
__global__ void __launch_bounds__(kThreads) frames_to_rgb(const __grid_constant__ LoopFrames p, unsigned char* rgb) {
  const std::int64_t total = p.count * p.pixels;
  const std::int64_t pixel = thread_in_grid() * kPixels;
  std::uint32_t words[kRgbWords] = {};
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
    for (int i = 0; i < kPixels; ++i) {
      const int byte = 3 * i + channel;
      words[byte / 4] |= level_of(values.values[i]) << (8 * (byte % 4));
    }
  }

  auto* block_rgb = reinterpret_cast<std::uint32_t*>(cuda::shared_memory());
#pragma unroll
  for (int i = 0; i < kRgbWords; ++i) cuda::store_shared(block_rgb + threadIdx.x * kRgbWords + i, words[i]);
  cuda::wait_for_block();
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kBlockBytes;
  const int offset = static_cast<int>(threadIdx.x * sizeof(RgbWord));
  if (offset < kBlockBytes && begin + offset < total * 3) {
    const auto* from = reinterpret_cast<const unsigned char*>(block_rgb) + offset;
    cuda::store_global(rgb + begin + offset, cuda::load_shared<RgbWord>(from));
  }
}

}  // namespace loop

CudaError loop_rgb_cuda(const LoopFrames& frames, unsigned char* rgb, CudaStream stream) {
  using namespace loop;
  const std::int64_t blocks = (frames.count * frames.pixels + kBlockPixels - 1) / kBlockPixels;
  if (blocks == 0) return cudaSuccess;
  if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
  const cuda::LaunchShape shape = {static_cast<std::uint32_t>(blocks), kThreads, kBlockBytes};
  const bool reads_words = frames.pixels % kPixels == 0 && cuda::is_aligned(frames.planes, sizeof(Wide));
  return reads_words ? cuda::launch(frames_to_rgb<true>, shape, stream, frames, rgb)
                     : cuda::launch(frames_to_rgb<false>, shape, stream, frames, rgb);
}

}  // namespace vidrt::kernels
