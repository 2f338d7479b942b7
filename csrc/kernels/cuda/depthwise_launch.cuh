// From a problem to a launch, for one element type.
#pragma once

#include <cstdint>

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/general_kernel.cuh"
#include "kernels/cuda/window_kernel.cuh"
#include "kernels/cuda/window_plan.h"
#include "kernels/depthwise_conv3d.h"

namespace vidrt::kernels::cuda {

inline WindowTile window_size(const ClipShape& shape) {
  return {static_cast<std::int32_t>(shape.c), static_cast<std::int32_t>(shape.t), static_cast<std::int32_t>(shape.h),
          static_cast<std::int32_t>(shape.w)};
}

template <typename T>
WindowParams window_params(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                           const WindowPlan& plan) {
  const DepthwiseConv3dAttributes& a = problem.attributes;
  WindowParams p;
  p.x = tensors.x;
  p.weight = tensors.weight;
  p.bias = tensors.bias;
  p.residual = tensors.residual;
  p.cache_in = tensors.cache_in;
  p.y = tensors.y;
  p.cache_out = tensors.cache_out;
  p.size = window_size(problem.x);
  p.y_size = window_size(problem.y);
  p.tile = plan.tile;
  p.tiles = plan.tiles;
  p.cache_frames = static_cast<std::int32_t>(problem.cache_frames);
  p.frames_before = static_cast<std::int32_t>(problem.pad_before[0]);
  p.centre_row = static_cast<std::int32_t>(problem.kernel[1] / 2 - problem.pad_before[1]);
  p.centre_column = static_cast<std::int32_t>(problem.kernel[2] / 2 - problem.pad_before[2]);
  p.replicates_frames = a.temporal_pad_mode == PadMode::kReplicate;
  p.replicates_edges = a.spatial_pad_mode == PadMode::kReplicate;
  p.activation = a.activation;

  const bool is_planar = a.data_layout == DataLayout::kNCTHW;
  constexpr std::size_t kWord = kChunk<T> * sizeof(T);
  const bool has_chunks = (is_planar ? p.size.columns : p.size.channels) % kChunk<T> == 0;
  p.reads_chunks = has_chunks && is_aligned(tensors.x, kWord) && is_aligned(tensors.cache_in, kWord);
  p.caches_chunks = has_chunks && is_aligned(tensors.cache_out, kWord);
  const std::size_t written = is_planar ? kWord : kLaneChannels * sizeof(T);
  p.writes_chunks = (is_planar ? has_chunks && p.centre_column == 0 : p.size.channels % kLaneChannels == 0) &&
                    is_aligned(tensors.y, written) && is_aligned(tensors.residual, written);
  const std::int32_t threads = static_cast<std::int32_t>(plan.shape.threads);
  const std::int32_t rows = p.tile.rows + static_cast<std::int32_t>(problem.kernel[1]) - 1;
  const std::int32_t columns = p.tile.columns + static_cast<std::int32_t>(problem.kernel[2]) - 1;
  const std::int32_t read = p.reads_chunks ? kChunk<T> : 1;
  const std::int32_t cached = p.caches_chunks ? kChunk<T> : 1;
  if (is_planar) {
    const WindowLayout layout = window_layout(problem);
    p.read_cells = {p.tile.channels, rows, p.reads_chunks ? layout.pitch(p.tile) / read : columns, threads};
    p.cache_cells = {p.tile.channels, p.tile.rows, p.tile.columns / cached, threads};
  } else {
    p.read_cells = {rows, columns, p.tile.channels / read, threads};
    p.cache_cells = {p.tile.rows, p.tile.columns, p.tile.channels / cached, threads};
  }
  return p;
}

template <typename T, int kT, int kH, int kW>
cudaError_t launch_window(const WindowParams& p, const WindowPlan& plan, DataLayout layout, cudaStream_t stream) {
  if (layout == DataLayout::kNCTHW) {
    return launch(depthwise_window<PlanarTile<T, kT, kH, kW>, T, kT, kH>, plan.shape, stream, p);
  }
  return launch(depthwise_window<ChannelsLastTile<T, kT, kH, kW>, T, kT, kH>, plan.shape, stream, p);
}

inline GeneralSize general_size(const ClipShape& shape, DataLayout layout) {
  return {shape.c, shape.t, shape.h, shape.w, layout == DataLayout::kNTHWC};
}

inline GeneralParams general_params(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
  const DepthwiseConv3dAttributes& a = problem.attributes;
  GeneralParams p;
  p.x = tensors.x;
  p.weight = tensors.weight;
  p.bias = tensors.bias;
  p.residual = tensors.residual;
  p.cache_in = tensors.cache_in;
  p.y = tensors.y;
  p.cache_out = tensors.cache_out;
  p.x_size = general_size(problem.x, a.data_layout);
  p.y_size = general_size(problem.y, a.data_layout);
  p.cache = general_size(problem.cache(), a.data_layout);
  p.y_elements = problem.y.elements();
  p.cache_elements = tensors.cache_out == nullptr ? 0 : problem.cache().elements();
  for (int axis = 0; axis < 3; ++axis) {
    p.kernel[axis] = static_cast<std::int32_t>(problem.kernel[axis]);
    p.strides[axis] = static_cast<std::int32_t>(a.strides[axis]);
    p.dilations[axis] = static_cast<std::int32_t>(a.dilations[axis]);
    p.pad_before[axis] = problem.pad_before[axis];
  }
  p.replicates_frames = a.temporal_pad_mode == PadMode::kReplicate;
  p.replicates_edges = a.spatial_pad_mode == PadMode::kReplicate;
  p.activation = a.activation;
  return p;
}

template <typename T>
cudaError_t launch_general(const GeneralParams& p, cudaStream_t stream) {
  const std::int64_t blocks = (p.y_elements + p.cache_elements + kGeneralThreads - 1) / kGeneralThreads;
  if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
  return launch(depthwise_general<T>, {static_cast<std::uint32_t>(blocks), kGeneralThreads, 0}, stream, p);
}

template <typename T>
cudaError_t launch_depthwise(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                             cudaStream_t stream) {
  const std::optional<WindowPlan> plan = plan_window(problem);
  if (!plan) return launch_general<T>(general_params(problem, tensors), stream);
  const WindowParams p = window_params<T>(problem, tensors, *plan);
  const DataLayout layout = problem.attributes.data_layout;
  const auto& [kt, kh, kw] = problem.kernel;
  if (kt == 3 && kh == 3) return launch_window<T, 3, 3, 3>(p, *plan, layout, stream);
  if (kt == 5) return launch_window<T, 5, 5, 5>(p, *plan, layout, stream);
  if (kt == 3) return launch_window<T, 3, 1, 1>(p, *plan, layout, stream);
  return launch_window<T, 1, 3, 3>(p, *plan, layout, stream);
}

}  // namespace vidrt::kernels::cuda
