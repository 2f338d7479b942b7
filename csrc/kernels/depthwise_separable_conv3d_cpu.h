// Depthwise then 1x1x1 convolution on the processor in one pass: what lies between them stays in the cache.
#pragma once

#include "kernels/depthwise_conv3d_cpu.h"

namespace vidrt::kernels {

/// The 1x1x1 convolution's weights as the kernel reads them: fp32, in panels of rows.
struct PackedPointwise {
  std::int64_t outputs = 0;
  std::int64_t channels = 0;
  std::vector<float> panels;
  std::vector<float> bias;  // outputs rounded up to whole panels; zeros where there is none
};

/// `weight` (O,C) and `bias` (O, or null) are of the element type.
PackedPointwise pack_pointwise(std::int64_t outputs, std::int64_t channels, ElementType type, const void* weight,
                               const void* bias);

/// The weights and biases of `tensors` are not read: the packed ones have them.
void depthwise_separable_conv3d_cpu(const DepthwiseSeparableConv3dProblem& problem, const PackedDepthwise& depthwise,
                                    const PackedPointwise& pointwise, const DepthwiseSeparableConv3dTensors& tensors,
                                    const ParallelFor& parallel);

}  // namespace vidrt::kernels
