// Depthwise into the workspace, then the 1x1x1 convolution from there, for one element type.
//
// One kernel for both would have to keep the sums of all channels while it marches through time, which only a few
// channels' registers allow, or read every frame kT times.
#pragma once

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/pointwise_kernel.cuh"
#include "kernels/depthwise_separable_conv3d_cuda.h"

namespace vidrt::kernels::cuda {

template <typename T, DataLayout kLayout, int kPositionWarps>
cudaError_t launch_pointwise(PointwiseParams p, std::int64_t samples, cudaStream_t stream) {
  using Tile = PointwiseTile<T, kLayout, kPositionWarps>;
  p.position_tiles = (p.positions + Tile::kPositions - 1) / Tile::kPositions;
  p.output_tiles = (p.outputs + kPointwiseOutputs - 1) / kPointwiseOutputs;
  const double blocks = static_cast<double>(samples) * p.position_tiles * p.output_tiles;
  if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
  return launch(pointwise_product<T, kLayout, kPositionWarps>,
                {static_cast<std::uint32_t>(blocks), Tile::kThreads, Tile::kSharedBytes}, stream, p);
}

/// Wide tiles read the weights less often; narrow ones where wide ones would leave a device idle.
template <typename T, DataLayout kLayout>
cudaError_t launch_pointwise(const PointwiseParams& p, std::int64_t samples, cudaStream_t stream) {
  constexpr double kBusyBlocks = 128;
  const double wide = static_cast<double>(samples) * p.positions / 128 * p.outputs / kPointwiseOutputs;
  if (wide >= kBusyBlocks) return launch_pointwise<T, kLayout, 4>(p, samples, stream);
  return launch_pointwise<T, kLayout, 1>(p, samples, stream);
}

template <typename T>
cudaError_t launch_separable(const DepthwiseSeparableConv3dProblem& problem,
                             const DepthwiseSeparableConv3dTensors& tensors, void* workspace, cudaStream_t stream) {
  DepthwiseConv3dTensors depthwise = tensors.depthwise;
  depthwise.residual = nullptr;
  depthwise.y = workspace;
  const auto error = static_cast<cudaError_t>(depthwise_conv3d_cuda(problem.depthwise, depthwise, stream));
  if (error != cudaSuccess) return error;

  const bool is_planar = problem.depthwise.attributes.data_layout == DataLayout::kNCTHW;
  const ClipShape& y = problem.y;
  PointwiseParams p;
  p.z = workspace;
  p.weight = tensors.pointwise;
  p.bias = tensors.pointwise_bias;
  p.residual = tensors.depthwise.residual;
  p.y = tensors.depthwise.y;
  p.positions = (is_planar ? 1 : y.n) * y.t * y.h * y.w;
  p.channels = problem.depthwise.y.c;
  p.outputs = y.c;
  constexpr std::size_t kWord = kChunk<T> * sizeof(T);
  const bool has_deep_chunks = p.channels % kChunk<T> == 0;
  p.reads_weight_chunks = has_deep_chunks && is_aligned(p.weight, kWord);
  p.reads_z_chunks = (is_planar ? p.positions % kChunk<T> == 0 : has_deep_chunks) && is_aligned(p.z, kWord);
  p.writes_pairs = (is_planar ? p.positions : p.outputs) % 2 == 0 && is_aligned(p.y, 2 * sizeof(T)) &&
                   is_aligned(p.residual, 2 * sizeof(T));
  p.activation = problem.output_activation;
  if (is_planar) return launch_pointwise<T, DataLayout::kNCTHW>(p, y.n, stream);
  return launch_pointwise<T, DataLayout::kNTHWC>(p, 1, stream);
}

}  // namespace vidrt::kernels::cuda
