// Convolutions at toy size with random tensors, and the comparison of what a kernel computes with the reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/depthwise_conv3d.h"
#include "kernels/depthwise_separable_conv3d.h"

namespace vidrt::kernels::testing {

/// One convolution to try. Sizes are of X; the others follow.
struct ConvCase {
  DepthwiseConv3dAttributes attributes;
  ElementType type = ElementType::kFloat32;
  ClipShape x{1, 3, 4, 5, 6};
  std::array<std::int64_t, 3> kernel{3, 3, 3};
  bool bias = true;
  bool residual = false;
  bool cache_in = false;
  bool cache_out = false;
  std::int64_t outputs = 0;  // of the 1x1x1 convolution after it; 0: there is none
  Activation output_activation = Activation::kNone;
  bool pointwise_bias = true;
  std::uint32_t seed = 1;
};

/// Readable, for SCOPED_TRACE.
std::string to_string(const ConvCase& conv);

/// Bytes that end right before memory whose writing or reading the sanitizers report.
using Bytes = std::vector<unsigned char>;

/// Tensors of a case: inputs random, outputs filled with a pattern that no result has.
struct ConvTensors {
  Bytes x, weight, bias, residual, cache_in, y, cache_out, pointwise, pointwise_bias;
};

DepthwiseConv3dProblem make_problem(const ConvCase& conv);
DepthwiseSeparableConv3dProblem make_separable_problem(const ConvCase& conv);
ConvTensors make_tensors(const ConvCase& conv);
DepthwiseConv3dTensors views(const ConvCase& conv, ConvTensors& tensors);
DepthwiseSeparableConv3dTensors separable_views(const ConvCase& conv, ConvTensors& tensors);

/// The largest difference allowed, relative to the larger of 1 and the expected value: fp32 1e-5 for 27 taps, and the
/// rounding of the result besides for fp16 and bf16.
double tolerance(const ConvCase& conv);

std::vector<float> to_floats(ElementType type, const Bytes& bytes);
Bytes from_floats(ElementType type, const std::vector<float>& values);

using Depthwise = std::function<void(const DepthwiseConv3dProblem&, const DepthwiseConv3dTensors&)>;
using Separable = std::function<void(const DepthwiseSeparableConv3dProblem&, const DepthwiseSeparableConv3dTensors&)>;

/// Run the case by `kernel` and by the reference, and report (EXPECT) where Y or cache_out differ. cache_out is a copy:
/// it must be equal bit for bit.
void expect_as_reference(const ConvCase& conv, const Depthwise& kernel);
void expect_as_reference(const ConvCase& conv, const Separable& kernel);

/// Cases that together reach every attribute, element type, layout and kind of size (odd, prime, one, shorter than the
/// filter), for kernels to be run over.
std::vector<ConvCase> depthwise_cases();
std::vector<ConvCase> separable_cases();

}  // namespace vidrt::kernels::testing
