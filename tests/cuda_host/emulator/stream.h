// The emulated device. A launcher gets it as its stream: cudaStream_t is a pointer to it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "cuda_host/emulator/block.h"
#include "cuda_host/emulator/builtins.h"
#include "kernels/cuda/launch_shape.h"

struct CUstream_st {
  vidrt::cuda_host::GlobalMemory memory;
  std::uint64_t seed = 0;       // of the orders in which blocks, and threads between barriers, run
  bool counts_traffic = false;  // adds up over launches
  vidrt::cuda_host::Traffic traffic;
  std::function<bool(std::uint32_t block)> only;  // which blocks to run; empty: all
  std::vector<vidrt::kernels::cuda::LaunchShape> launches;

  /// Where launches wait until somebody waits for them (runtime.h); empty: they are done at once.
  std::function<cudaError_t(const vidrt::kernels::cuda::LaunchShape& shape, std::function<void()> kernel)> defer;

  cudaError_t launch(const vidrt::kernels::cuda::LaunchShape& shape, std::function<void()> kernel);
  /// Run all blocks, each to its end. Throws vidrt::cuda_host::Fault.
  cudaError_t run(const vidrt::kernels::cuda::LaunchShape& shape, const std::function<void()>& kernel);

 private:
  vidrt::cuda_host::Block block_;
};
