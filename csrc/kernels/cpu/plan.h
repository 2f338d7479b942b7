// How a depthwise convolution is cut into units of work, and where its staged frames lie.
#pragma once

#include "kernels/cpu/depthwise_job.h"
#include "kernels/depthwise_conv3d_cpu.h"

namespace vidrt::kernels {

DepthwiseJob plan_depthwise(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                            const DepthwiseConv3dTensors& tensors, int lanes, int threads);

}  // namespace vidrt::kernels
