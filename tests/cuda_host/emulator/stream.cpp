#include "cuda_host/emulator/stream.h"

#include <algorithm>
#include <numeric>

// What every device of the project has without asking for more.
constexpr unsigned kMaxThreads = 1024;
constexpr std::uint32_t kMaxBlocks = 0x7fffffffu;
constexpr std::size_t kMaxSharedBytes = std::size_t{48} << 10;

cudaError_t CUstream_st::launch(const vidrt::kernels::cuda::LaunchShape& shape, std::function<void()> kernel) {
  if (shape.blocks == 0 || shape.blocks > kMaxBlocks || shape.threads == 0 || shape.threads > kMaxThreads ||
      shape.shared_bytes > kMaxSharedBytes) {
    return cudaErrorInvalidConfiguration;
  }
  launches.push_back(shape);
  return defer ? defer(shape, std::move(kernel)) : run(shape, kernel);
}

cudaError_t CUstream_st::run(const vidrt::kernels::cuda::LaunchShape& shape, const std::function<void()>& kernel) {
  gridDim.x = shape.blocks;
  blockDim.x = shape.threads;
  memory.begin_launch(shape.blocks);
  block_.begin_launch(kernel, shape.threads, shape.shared_bytes, &memory, counts_traffic ? &traffic : nullptr, seed);
  std::vector<std::uint32_t> order;
  for (std::uint32_t block = 0; block < shape.blocks; ++block) {
    if (!only || only(block)) order.push_back(block);
  }
  std::mt19937_64 generator(seed);
  std::shuffle(order.begin(), order.end(), generator);
  for (const std::uint32_t block : order) block_.run(block);
  return cudaSuccess;
}
