// Depthwise 3D convolution on the processor, by the best instruction set that it has (cpu_isa.h).
#pragma once

#include <vector>

#include "kernels/cpu_isa.h"
#include "kernels/depthwise_conv3d.h"
#include "kernels/parallel.h"

namespace vidrt::kernels {

/// The filters as the kernels read them: fp32, in the orders that they need.
struct PackedDepthwise {
  std::array<std::int64_t, 3> kernel{};
  std::int64_t channels = 0;
  std::vector<float> by_channel;  // (C, taps)
  std::vector<float> by_tap;      // (taps, C rounded up to whole vectors)
  std::vector<float> bias;        // C rounded up to whole vectors; zeros where there is none
};

/// `weight` (C,1,kT,kH,kW) and `bias` (C, or null) are of the element type.
PackedDepthwise pack_depthwise(const std::array<std::int64_t, 3>& kernel, std::int64_t channels, ElementType type,
                               const void* weight, const void* bias);

/// `count` elements of a type as fp32, followed by zeros up to `padded`. All zeros where `values` is null.
std::vector<float> to_floats(ElementType type, const void* values, std::int64_t count, std::int64_t padded);

/// tensors.weight and tensors.bias are not read: `packed` has them. `isa` is one that this processor has.
void depthwise_conv3d_cpu(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                          const DepthwiseConv3dTensors& tensors, const ParallelFor& parallel, Isa isa = cpu_isa());

}  // namespace vidrt::kernels
