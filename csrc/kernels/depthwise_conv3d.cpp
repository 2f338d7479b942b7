#include "kernels/depthwise_conv3d.h"

#include <limits>
#include <stdexcept>
#include <string>

namespace vidrt::kernels {
namespace {

constexpr const char* kAxes[] = {"time", "height", "width"};

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

void check_dims(const std::string& name, const std::array<std::int64_t, 5>& dims) {
  std::int64_t elements = 1;
  for (const std::int64_t dim : dims) {
    if (dim < 1) refuse(name + ": got the shape " + to_string(dims) + ", expected sizes of at least 1.");
    // A quarter of what 64 bits hold: bytes and sums of offsets stay inside as well.
    if (elements > std::numeric_limits<std::int64_t>::max() / 4 / dim) {
      refuse(name + ": the shape " + to_string(dims) + " has more elements than can be addressed.");
    }
    elements *= dim;
  }
}

void check_kernel(const DepthwiseConv3dInputs& inputs, const ClipShape& x) {
  const auto& weight = inputs.weight;
  check_dims("W", weight);
  if (weight[0] != x.c || weight[1] != 1) {
    refuse("W: got the shape " + to_string(weight) + ", expected (C,1,kT,kH,kW) with C = " + std::to_string(x.c) +
           " channels, as X has.");
  }
  for (int axis = 0; axis < 3; ++axis) {
    if (weight[axis + 2] > kMaxKernel) {
      refuse("W: got the shape " + to_string(weight) + ", expected at most " + std::to_string(kMaxKernel) +
             " taps along each axis.");
    }
  }
  if (inputs.bias && *inputs.bias != x.c) {
    refuse("B: got " + std::to_string(*inputs.bias) + " values, expected " + std::to_string(x.c) +
           ", one for each channel of X.");
  }
}

void check_attributes(const DepthwiseConv3dAttributes& attributes) {
  constexpr std::int64_t kMost = 1 << 16;  // products of these stay far from overflow
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t stride = attributes.strides[axis];
    const std::int64_t dilation = attributes.dilations[axis];
    if (stride < 1 || stride > kMost) {
      refuse(std::string("attribute strides: got ") + std::to_string(stride) + " along " + kAxes[axis] +
             ", expected 1 to 65536.");
    }
    if (dilation < 1 || dilation > kMost) {
      refuse(std::string("attribute dilations: got ") + std::to_string(dilation) + " along " + kAxes[axis] +
             ", expected 1 to 65536.");
    }
  }
}

// Fills kernel, pads, cache_frames and y of `problem`, whose attributes and x are set.
void work_out_sizes(DepthwiseConv3dProblem& problem) {
  const DepthwiseConv3dAttributes& attributes = problem.attributes;
  const bool causal = attributes.temporal_padding == TemporalPadding::kCausal;
  const bool same[] = {attributes.temporal_padding == TemporalPadding::kSame,
                       attributes.spatial_padding == SpatialPadding::kSame,
                       attributes.spatial_padding == SpatialPadding::kSame};
  const std::int64_t sizes[] = {problem.x.t, problem.x.h, problem.x.w};
  std::int64_t out[3];
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t reach = (problem.kernel[axis] - 1) * attributes.dilations[axis];
    if (same[axis]) {
      if (problem.kernel[axis] % 2 == 0) {
        refuse(std::string("W: got ") + std::to_string(problem.kernel[axis]) + " taps along " + kAxes[axis] +
               ", expected an odd number with padding 'same'.");
      }
      problem.pad_before[axis] = problem.pad_after[axis] = reach / 2;
    } else if (axis == 0 && causal) {
      problem.pad_before[axis] = problem.cache_frames = reach;
    }
    const std::int64_t room = sizes[axis] + problem.pad_before[axis] + problem.pad_after[axis] - reach - 1;
    if (room < 0) {
      refuse(std::string("X: got ") + std::to_string(sizes[axis]) + " positions along " + kAxes[axis] +
             ", expected at least " + std::to_string(reach + 1) + " with padding 'valid'.");
    }
    out[axis] = room / attributes.strides[axis] + 1;
  }
  problem.y = {problem.x.n, problem.x.c, out[0], out[1], out[2]};
}

void check_caches(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dInputs& inputs) {
  if (!inputs.cache_in && !inputs.wants_cache_out) return;
  if (problem.attributes.temporal_padding != TemporalPadding::kCausal) {
    refuse(std::string("cache: got temporal_padding '") + to_string(problem.attributes.temporal_padding) +
           "', expected 'causal'; no other has caches.");
  }
  if (problem.cache_frames == 0) refuse("cache: got a filter of one tap along time, which reads no past frames.");
  const std::array<std::int64_t, 5> expected = problem.cache().dims(problem.attributes.data_layout);
  if (inputs.cache_in && *inputs.cache_in != expected) {
    refuse("cache_in: got the shape " + to_string(*inputs.cache_in) + ", expected " + to_string(expected) + ": the " +
           std::to_string(problem.cache_frames) + " frames before X.");
  }
}

}  // namespace

DepthwiseConv3dProblem make_depthwise_conv3d_problem(const DepthwiseConv3dAttributes& attributes, ElementType type,
                                                     const DepthwiseConv3dInputs& inputs) {
  check_dims("X", inputs.x);
  check_attributes(attributes);
  DepthwiseConv3dProblem problem;
  problem.attributes = attributes;
  problem.type = type;
  problem.x = ClipShape::from_dims(inputs.x, attributes.data_layout);
  check_kernel(inputs, problem.x);
  problem.kernel = {inputs.weight[2], inputs.weight[3], inputs.weight[4]};
  work_out_sizes(problem);
  check_dims("Y", problem.y.dims(attributes.data_layout));
  check_caches(problem, inputs);
  const std::array<std::int64_t, 5> expected = problem.y.dims(attributes.data_layout);
  if (inputs.residual && *inputs.residual != expected) {
    refuse("residual: got the shape " + to_string(*inputs.residual) + ", expected " + to_string(expected) +
           ", as the result.");
  }
  return problem;
}

}  // namespace vidrt::kernels
