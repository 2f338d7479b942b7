#include "kernels/depthwise_separable_conv3d.h"

#include <stdexcept>
#include <string>

namespace vidrt::kernels {

DepthwiseSeparableConv3dProblem make_depthwise_separable_conv3d_problem(const DepthwiseConv3dAttributes& attributes,
                                                                        Activation output_activation, ElementType type,
                                                                        const DepthwiseSeparableConv3dInputs& inputs) {
  DepthwiseConv3dInputs depthwise = inputs.depthwise;
  depthwise.residual.reset();
  DepthwiseSeparableConv3dProblem problem;
  problem.depthwise = make_depthwise_conv3d_problem(attributes, type, depthwise);
  problem.output_activation = output_activation;
  problem.y = problem.depthwise.y;
  const auto [outputs, channels] = inputs.pointwise;
  if (outputs < 1 || channels != problem.depthwise.x.c) {
    throw std::invalid_argument("PW: got the shape (" + std::to_string(outputs) + "," + std::to_string(channels) +
                                "), expected (O,C) with C = " + std::to_string(problem.depthwise.x.c) +
                                " channels, as X has.");
  }
  if (inputs.pointwise_bias && *inputs.pointwise_bias != outputs) {
    throw std::invalid_argument("PB: got " + std::to_string(*inputs.pointwise_bias) + " values, expected " +
                                std::to_string(outputs) + ", one for each row of PW.");
  }
  problem.y.c = outputs;
  const std::array<std::int64_t, 5> expected = problem.y.dims(attributes.data_layout);
  if (inputs.depthwise.residual && *inputs.depthwise.residual != expected) {
    throw std::invalid_argument("residual: got the shape " + to_string(*inputs.depthwise.residual) + ", expected " +
                                to_string(expected) + ", as the result.");
  }
  return problem;
}

}  // namespace vidrt::kernels
