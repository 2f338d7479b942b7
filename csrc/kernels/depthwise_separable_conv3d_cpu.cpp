#include "kernels/depthwise_separable_conv3d_cpu.h"

#include <algorithm>

#include "kernels/cpu/cache_copy.h"
#include "kernels/cpu/plan.h"
#include "kernels/cpu/scratch_pool.h"

namespace vidrt::kernels {
namespace {

constexpr std::int64_t kOutputMultiple = 16;  // whole vectors of every instruction set, and whole panels

}  // namespace

PackedPointwise pack_pointwise(DataLayout layout, std::int64_t outputs, std::int64_t channels, ElementType type,
                               const void* weight, const void* bias) {
  PackedPointwise packed;
  packed.layout = layout;
  const std::int64_t padded = (outputs + kOutputMultiple - 1) / kOutputMultiple * kOutputMultiple;
  const std::vector<float> rows = to_floats(type, weight, outputs * channels, padded * channels);
  packed.bias = to_floats(type, bias, outputs, padded);
  packed.weight.resize(rows.size());
  for (std::int64_t o = 0; o < padded; ++o) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t in_panels = (o / kPanelRows * channels + c) * kPanelRows + o % kPanelRows;
      packed.weight[layout == DataLayout::kNTHWC ? c * padded + o : in_panels] = rows[o * channels + c];
    }
  }
  return packed;
}

void depthwise_separable_conv3d_cpu(const DepthwiseSeparableConv3dProblem& problem, const PackedDepthwise& depthwise,
                                    const PackedPointwise& pointwise, const DepthwiseSeparableConv3dTensors& tensors,
                                    const ParallelFor& parallel, Isa isa) {
  const CpuKernels& kernels = *kernels_of(isa);
  const int threads = std::max(parallel.threads, 1);
  const SeparableJob job = plan_separable(problem, depthwise, pointwise, tensors, kernels.lanes, threads);
  const CacheCopy cache(problem.depthwise, tensors.depthwise);
  ScratchPool scratch(static_cast<std::size_t>(job.scratch_floats), threads);
  parallel(static_cast<std::size_t>(job.units + cache.planes()), [&](std::size_t index) {
    const auto unit = static_cast<std::int64_t>(index);
    if (unit >= job.units) return cache.copy(unit - job.units);
    const ScratchPool::Lease lease(scratch);
    kernels.separable(job, unit, unit + 1, lease.floats());
  });
}

}  // namespace vidrt::kernels
