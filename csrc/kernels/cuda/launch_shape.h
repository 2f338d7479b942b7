// How many threads a kernel is started with.
#pragma once

#include <cstdint>

namespace vidrt::kernels::cuda {

/// Grids and blocks have one dimension; kernels work out their own coordinates.
struct LaunchShape {
  std::uint32_t blocks = 1;
  std::uint32_t threads = 1;
  std::uint32_t shared_bytes = 0;
};

}  // namespace vidrt::kernels::cuda
