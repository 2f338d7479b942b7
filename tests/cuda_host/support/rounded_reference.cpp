#include "cuda_host/support/rounded_reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace vidrt::kernels::testing {
namespace {

// The depthwise result in fp32, from the same inputs.
std::vector<float> between(const ConvCase& conv, const ConvTensors& tensors) {
  ConvCase wide = conv;
  wide.type = ElementType::kFloat32;
  wide.residual = wide.cache_out = false;
  wide.outputs = 0;
  ConvTensors widened = make_tensors(wide);
  const auto widen = [&](const Bytes& bytes) { return from_floats(wide.type, to_floats(conv.type, bytes)); };
  widened.x = widen(tensors.x);
  widened.weight = widen(tensors.weight);
  widened.bias = widen(tensors.bias);
  widened.cache_in = widen(tensors.cache_in);
  depthwise_conv3d_ref(make_problem(wide), views(wide, widened));
  return to_floats(wide.type, widened.y);
}

// For every element of the result, the sum of |PW * between|: what the rounding of its terms is relative to.
std::vector<double> magnitudes(const ConvCase& conv, const ConvTensors& tensors) {
  const std::vector<float> z = between(conv, tensors);
  const std::vector<float> weights = to_floats(conv.type, tensors.pointwise);
  const ClipShape shape = make_separable_problem(conv).y;
  const bool is_planar = conv.attributes.data_layout == DataLayout::kNCTHW;
  const std::int64_t positions = shape.t * shape.h * shape.w;
  const std::int64_t channels = conv.x.c;
  std::vector<double> sums;
  for (std::int64_t element = 0; element < shape.elements(); ++element) {
    const std::int64_t output = is_planar ? element / positions % shape.c : element % shape.c;
    const std::int64_t position = is_planar ? element % positions : element / shape.c;
    const std::int64_t sample = is_planar ? element / positions / shape.c : 0;
    double sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t at = is_planar ? (sample * channels + c) * positions + position : position * channels + c;
      sum += std::abs(static_cast<double>(weights[output * channels + c]) * z[at]);
    }
    sums.push_back(sum);
  }
  return sums;
}

}  // namespace

void expect_as_rounded_reference(const ConvCase& conv, const Separable& kernel) {
  SCOPED_TRACE(to_string(conv));
  const DepthwiseSeparableConv3dProblem problem = make_separable_problem(conv);
  ConvTensors got = make_tensors(conv);
  ConvTensors expected = got;
  kernel(problem, separable_views(conv, got));
  depthwise_separable_conv3d_ref(problem, separable_views(conv, expected));
  EXPECT_EQ(got.cache_out, expected.cache_out);
  const std::vector<float> values = to_floats(conv.type, got.y);
  const std::vector<float> wanted = to_floats(conv.type, expected.y);
  const std::vector<double> sums = magnitudes(conv, got);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double scale = std::max(1.0, std::abs(static_cast<double>(wanted[i]))) + sums[i] / 2;
    ASSERT_NEAR(values[i], wanted[i], tolerance(conv) * scale) << i;
  }
}

}  // namespace vidrt::kernels::testing
