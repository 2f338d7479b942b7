// How the operators are cut into units of work, and where their staged frames lie.
#pragma once

#include "kernels/cpu/depthwise_job.h"
#include "kernels/cpu/separable_job.h"
#include "kernels/depthwise_conv3d_cpu.h"
#include "kernels/depthwise_separable_conv3d_cpu.h"

namespace vidrt::kernels {

DepthwiseJob plan_depthwise(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                            const DepthwiseConv3dTensors& tensors, int lanes, int threads);

SeparableJob plan_separable(const DepthwiseSeparableConv3dProblem& problem, const PackedDepthwise& depthwise,
                            const PackedPointwise& pointwise, const DepthwiseSeparableConv3dTensors& tensors, int lanes,
                            int threads);

// Parts of both.

/// A job that is not cut yet.
DepthwiseJob begin_job(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                       const DepthwiseConv3dTensors& tensors, int lanes);

/// Set where things lie in scratch, for strips of at most so many rows and columns of results.
void lay_out(DepthwiseJob& job, std::int64_t rows, std::int64_t columns, int lanes);

}  // namespace vidrt::kernels
