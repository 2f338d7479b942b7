#include "kernels/depthwise_conv3d_cpu.h"

#include <algorithm>

#include "kernels/cpu/cache_copy.h"
#include "kernels/cpu/plan.h"
#include "kernels/cpu/scratch_pool.h"
#include "kernels/half_types.h"

namespace vidrt::kernels {
namespace {

constexpr std::int64_t kChannelMultiple = 16;  // whole vectors of every instruction set
// More parts than threads: one that is held up does not hold up all.
constexpr std::int64_t kPartsPerThread = 4;

template <typename T>
std::vector<float> floats(const void* values, std::int64_t count, std::int64_t padded) {
  std::vector<float> result(static_cast<std::size_t>(padded), 0.0f);
  if (values == nullptr) return result;
  for (std::int64_t i = 0; i < count; ++i) result[i] = to_float(static_cast<const T*>(values)[i]);
  return result;
}

}  // namespace

PackedDepthwise pack_depthwise(const std::array<std::int64_t, 3>& kernel, std::int64_t channels, ElementType type,
                               const void* weight, const void* bias) {
  PackedDepthwise packed;
  packed.kernel = kernel;
  packed.channels = channels;
  const std::int64_t taps = kernel[0] * kernel[1] * kernel[2];
  const std::int64_t padded = (channels + kChannelMultiple - 1) / kChannelMultiple * kChannelMultiple;
  packed.by_channel = to_floats(type, weight, taps * channels, taps * channels);
  packed.bias = to_floats(type, bias, channels, padded);
  packed.by_tap.assign(static_cast<std::size_t>(taps * padded), 0.0f);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t tap = 0; tap < taps; ++tap) packed.by_tap[tap * padded + c] = packed.by_channel[c * taps + tap];
  }
  return packed;
}

std::vector<float> to_floats(ElementType type, const void* values, std::int64_t count, std::int64_t padded) {
  switch (type) {
    case ElementType::kFloat32:
      return floats<float>(values, count, padded);
    case ElementType::kFloat16:
      return floats<Float16>(values, count, padded);
    case ElementType::kBFloat16:
      return floats<BFloat16>(values, count, padded);
  }
  return {};
}

void depthwise_conv3d_cpu(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                          const DepthwiseConv3dTensors& tensors, const ParallelFor& parallel, Isa isa) {
  const CpuKernels& kernels = *kernels_of(isa);
  const DepthwiseJob job = plan_depthwise(problem, packed, tensors, kernels.lanes, parallel.threads);
  const std::int64_t parts = std::min<std::int64_t>(job.units, kPartsPerThread * std::max(parallel.threads, 1));
  const CacheCopy cache(problem, tensors);
  ScratchPool scratch(static_cast<std::size_t>(job.scratch_floats), std::max(parallel.threads, 1));
  parallel(static_cast<std::size_t>(parts + cache.planes()), [&](std::size_t index) {
    const auto part = static_cast<std::int64_t>(index);
    if (part >= parts) return cache.copy(part - parts);
    const ScratchPool::Lease lease(scratch);
    kernels.depthwise(job, job.units * part / parts, job.units * (part + 1) / parts, lease.floats());
  });
}

}  // namespace vidrt::kernels
