// Depthwise then 1x1x1 convolution on the processor in one pass: what lies between them stays in the cache.
#pragma once

#include "kernels/depthwise_conv3d_cpu.h"
#include "kernels/depthwise_separable_conv3d.h"

namespace vidrt::kernels {

/// The 1x1x1 convolution's weights as the kernels of one layout read them: fp32, zeros beyond O.
struct PackedPointwise {
  DataLayout layout = DataLayout::kNCTHW;
  std::vector<float> weight;  // NCTHW: (panels of 8 outputs, C, 8); NTHWC: (C, O rounded up to whole vectors)
  std::vector<float> bias;    // O rounded up to whole vectors; zeros where there is none
};

/// `weight` (O,C) and `bias` (O, or null) are of the element type; `layout` is that of the clips.
PackedPointwise pack_pointwise(DataLayout layout, std::int64_t outputs, std::int64_t channels, ElementType type,
                               const void* weight, const void* bias);

/// The weights and biases of `tensors` are not read: the packed ones have them, `pointwise` for the problem's layout.
void depthwise_separable_conv3d_cpu(const DepthwiseSeparableConv3dProblem& problem, const PackedDepthwise& depthwise,
                                    const PackedPointwise& pointwise, const DepthwiseSeparableConv3dTensors& tensors,
                                    const ParallelFor& parallel, Isa isa = cpu_isa());

}  // namespace vidrt::kernels
