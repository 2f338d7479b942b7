// Depthwise 3D convolution and the 1x1x1 convolution after it as one operator:
// Y = output_activation(PW * activation(conv(X, W) + B) + PB) + residual.
#pragma once

#include "kernels/depthwise_conv3d.h"

namespace vidrt::kernels {

struct DepthwiseSeparableConv3dProblem {
  DepthwiseConv3dProblem depthwise;  // its y is what lies between the two convolutions
  ClipShape y;                       // depthwise.y with O channels
  Activation output_activation = Activation::kNone;
};

/// As DepthwiseConv3dInputs, whose residual is that of the result; and the 1x1x1 convolution's sizes.
struct DepthwiseSeparableConv3dInputs {
  DepthwiseConv3dInputs depthwise;
  std::array<std::int64_t, 2> pointwise{};       // (O,C)
  std::optional<std::int64_t> pointwise_bias{};  // its length
};

/// Throws std::invalid_argument as make_depthwise_conv3d_problem does.
DepthwiseSeparableConv3dProblem make_depthwise_separable_conv3d_problem(const DepthwiseConv3dAttributes& attributes,
                                                                        Activation output_activation, ElementType type,
                                                                        const DepthwiseSeparableConv3dInputs& inputs);

/// Contiguous tensors; no output may overlap an input or the other output.
struct DepthwiseSeparableConv3dTensors {
  DepthwiseConv3dTensors depthwise;      // residual and y are those of the result
  const void* pointwise = nullptr;       // (O,C)
  const void* pointwise_bias = nullptr;  // (O), or null
};

/// Plain loops with sums in fp64, nothing rounded between the two convolutions.
void depthwise_separable_conv3d_ref(const DepthwiseSeparableConv3dProblem& problem,
                                    const DepthwiseSeparableConv3dTensors& tensors);

}  // namespace vidrt::kernels
