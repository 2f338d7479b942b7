#include "support/conv_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>

#include "kernels/half_types.h"

namespace vidrt::kernels::testing {
namespace {

constexpr unsigned char kUnwritten = 0xa5;

std::size_t bytes_of(const ConvCase& conv, std::int64_t elements) {
  return static_cast<std::size_t>(elements) * size_of(conv.type);
}

Bytes random_values(const ConvCase& conv, std::int64_t elements, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(elements));
  for (float& value : values) value = normal(generator);
  return from_floats(conv.type, values);
}

template <typename T>
void read(const Bytes& bytes, std::vector<float>* values) {
  const T* data = reinterpret_cast<const T*>(bytes.data());
  for (std::size_t i = 0; i < values->size(); ++i) (*values)[i] = to_float(data[i]);
}

template <typename T>
void write(const std::vector<float>& values, Bytes* bytes) {
  T* data = reinterpret_cast<T*>(bytes->data());
  for (std::size_t i = 0; i < values.size(); ++i) data[i] = from_float<T>(values[i]);
}

DepthwiseConv3dInputs inputs_of(const ConvCase& conv) {
  DepthwiseConv3dInputs inputs;
  inputs.x = conv.x.dims(conv.attributes.data_layout);
  inputs.weight = {conv.x.c, 1, conv.kernel[0], conv.kernel[1], conv.kernel[2]};
  if (conv.bias) inputs.bias = conv.x.c;
  const std::int64_t past = (conv.kernel[0] - 1) * conv.attributes.dilations[0];
  if (conv.cache_in) {
    inputs.cache_in = ClipShape{conv.x.n, conv.x.c, past, conv.x.h, conv.x.w}.dims(conv.attributes.data_layout);
  }
  inputs.wants_cache_out = conv.cache_out;
  return inputs;
}

ClipShape result_shape(const ConvCase& conv) {
  ClipShape shape = make_problem(conv).y;
  if (conv.outputs > 0) shape.c = conv.outputs;
  return shape;
}

void expect_near(const ConvCase& conv, const Bytes& got, const Bytes& expected) {
  const std::vector<float> values = to_floats(conv.type, got);
  const std::vector<float> wanted = to_floats(conv.type, expected);
  const double allowed = tolerance(conv);
  int reported = 0;
  for (std::size_t i = 0; i < values.size() && reported < 3; ++i) {
    const double limit = allowed * std::max(1.0, std::abs(static_cast<double>(wanted[i])));
    if (!(std::abs(static_cast<double>(values[i]) - wanted[i]) <= limit)) {
      ADD_FAILURE() << "Y[" << i << "] of " << values.size() << ": got " << values[i] << ", expected " << wanted[i];
      ++reported;
    }
  }
}

template <typename Run, typename Reference>
void compare(const ConvCase& conv, const Run& run, const Reference& reference) {
  SCOPED_TRACE(to_string(conv));
  ConvTensors got = make_tensors(conv);
  ConvTensors expected = got;
  run(&got);
  reference(&expected);
  expect_near(conv, got.y, expected.y);
  EXPECT_EQ(got.cache_out, expected.cache_out) << "cache_out is a copy of frames";
}

}  // namespace

std::string to_string(const ConvCase& conv) {
  std::ostringstream text;
  const DepthwiseConv3dAttributes& a = conv.attributes;
  text << kernels::to_string(conv.type) << " X " << kernels::to_string(conv.x.dims(a.data_layout)) << " "
       << kernels::to_string(a.data_layout) << " kernel " << conv.kernel[0] << "x" << conv.kernel[1] << "x"
       << conv.kernel[2] << " strides " << a.strides[0] << "," << a.strides[1] << "," << a.strides[2] << " dilations "
       << a.dilations[0] << "," << a.dilations[1] << "," << a.dilations[2] << " "
       << kernels::to_string(a.temporal_padding) << "/" << kernels::to_string(a.temporal_pad_mode) << " "
       << kernels::to_string(a.spatial_padding) << "/" << kernels::to_string(a.spatial_pad_mode) << " "
       << kernels::to_string(a.activation) << (conv.bias ? " bias" : "") << (conv.residual ? " residual" : "")
       << (conv.cache_in ? " cache_in" : "") << (conv.cache_out ? " cache_out" : "");
  if (conv.outputs > 0) text << " then 1x1x1 to " << conv.outputs << " " << kernels::to_string(conv.output_activation);
  return text.str();
}

DepthwiseConv3dProblem make_problem(const ConvCase& conv) {
  return make_depthwise_conv3d_problem(conv.attributes, conv.type, inputs_of(conv));
}

DepthwiseSeparableConv3dProblem make_separable_problem(const ConvCase& conv) {
  DepthwiseSeparableConv3dInputs inputs;
  inputs.depthwise = inputs_of(conv);
  inputs.pointwise = {conv.outputs, conv.x.c};
  if (conv.pointwise_bias) inputs.pointwise_bias = conv.outputs;
  return make_depthwise_separable_conv3d_problem(conv.attributes, conv.output_activation, conv.type, inputs);
}

ConvTensors make_tensors(const ConvCase& conv) {
  const DepthwiseConv3dProblem problem = make_problem(conv);
  const ClipShape y = result_shape(conv);
  std::mt19937 generator(conv.seed);
  ConvTensors tensors;
  tensors.x = random_values(conv, conv.x.elements(), generator);
  tensors.weight = random_values(conv, conv.x.c * conv.kernel[0] * conv.kernel[1] * conv.kernel[2], generator);
  if (conv.bias) tensors.bias = random_values(conv, conv.x.c, generator);
  if (conv.residual) tensors.residual = random_values(conv, y.elements(), generator);
  if (conv.cache_in) tensors.cache_in = random_values(conv, problem.cache().elements(), generator);
  if (conv.outputs > 0) {
    tensors.pointwise = random_values(conv, conv.outputs * conv.x.c, generator);
    if (conv.pointwise_bias) tensors.pointwise_bias = random_values(conv, conv.outputs, generator);
  }
  tensors.y.assign(bytes_of(conv, y.elements()), kUnwritten);
  if (conv.cache_out) tensors.cache_out.assign(bytes_of(conv, problem.cache().elements()), kUnwritten);
  return tensors;
}

DepthwiseConv3dTensors views(const ConvCase& conv, ConvTensors& tensors) {
  DepthwiseConv3dTensors view;
  view.x = tensors.x.data();
  view.weight = tensors.weight.data();
  if (conv.bias) view.bias = tensors.bias.data();
  if (conv.residual) view.residual = tensors.residual.data();
  if (conv.cache_in) view.cache_in = tensors.cache_in.data();
  view.y = tensors.y.data();
  if (conv.cache_out) view.cache_out = tensors.cache_out.data();
  return view;
}

DepthwiseSeparableConv3dTensors separable_views(const ConvCase& conv, ConvTensors& tensors) {
  DepthwiseSeparableConv3dTensors view;
  view.depthwise = views(conv, tensors);
  view.pointwise = tensors.pointwise.data();
  if (conv.pointwise_bias) view.pointwise_bias = tensors.pointwise_bias.data();
  return view;
}

double tolerance(const ConvCase& conv) {
  // The rounding of a sum in fp32 grows with the root of its terms (Higham, 2002, section 2.8).
  const auto taps = static_cast<double>(conv.kernel[0] * conv.kernel[1] * conv.kernel[2]);
  const double terms = conv.outputs > 0 ? taps * static_cast<double>(conv.x.c) : taps;
  const double sum = 2e-6 * std::sqrt(std::max(terms, 27.0));
  switch (conv.type) {
    case ElementType::kFloat32:
      return sum;
    case ElementType::kFloat16:
      return sum + 1e-3;
    case ElementType::kBFloat16:
      return sum + 8e-3;
  }
  return 0.0;
}

std::vector<float> to_floats(ElementType type, const Bytes& bytes) {
  std::vector<float> values(bytes.size() / size_of(type));
  switch (type) {
    case ElementType::kFloat32:
      read<float>(bytes, &values);
      break;
    case ElementType::kFloat16:
      read<Float16>(bytes, &values);
      break;
    case ElementType::kBFloat16:
      read<BFloat16>(bytes, &values);
      break;
  }
  return values;
}

Bytes from_floats(ElementType type, const std::vector<float>& values) {
  Bytes bytes(values.size() * size_of(type));
  switch (type) {
    case ElementType::kFloat32:
      write<float>(values, &bytes);
      break;
    case ElementType::kFloat16:
      write<Float16>(values, &bytes);
      break;
    case ElementType::kBFloat16:
      write<BFloat16>(values, &bytes);
      break;
  }
  return bytes;
}

void expect_as_reference(const ConvCase& conv, const Depthwise& kernel) {
  const DepthwiseConv3dProblem problem = make_problem(conv);
  compare(
      conv, [&](ConvTensors* tensors) { kernel(problem, views(conv, *tensors)); },
      [&](ConvTensors* tensors) { depthwise_conv3d_ref(problem, views(conv, *tensors)); });
}

void expect_as_reference(const ConvCase& conv, const Separable& kernel) {
  const DepthwiseSeparableConv3dProblem problem = make_separable_problem(conv);
  compare(
      conv, [&](ConvTensors* tensors) { kernel(problem, separable_views(conv, *tensors)); },
      [&](ConvTensors* tensors) { depthwise_separable_conv3d_ref(problem, separable_views(conv, *tensors)); });
}

namespace {

template <typename T, std::size_t N>
T pick(const T (&choices)[N], std::mt19937& generator) {
  return choices[std::uniform_int_distribution<std::size_t>(0, N - 1)(generator)];
}

bool chance(int percent, std::mt19937& generator) {
  return std::uniform_int_distribution<int>(0, 99)(generator) < percent;
}

ConvCase random_case(std::uint32_t seed) {
  std::mt19937 generator(seed);
  ConvCase conv;
  conv.seed = seed;
  conv.type =
      pick({ElementType::kFloat32, ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16}, generator);
  DepthwiseConv3dAttributes& a = conv.attributes;
  a.data_layout = pick({DataLayout::kNCTHW, DataLayout::kNTHWC}, generator);
  a.temporal_padding = pick(
      {TemporalPadding::kCausal, TemporalPadding::kCausal, TemporalPadding::kSame, TemporalPadding::kValid}, generator);
  a.temporal_pad_mode = pick({PadMode::kZeros, PadMode::kReplicate}, generator);
  a.spatial_padding = pick({SpatialPadding::kSame, SpatialPadding::kSame, SpatialPadding::kValid}, generator);
  a.spatial_pad_mode = pick({PadMode::kZeros, PadMode::kReplicate}, generator);
  a.activation = pick(
      {Activation::kNone, Activation::kRelu, Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}, generator);
  using Kernel = std::array<std::int64_t, 3>;
  const bool odd = chance(85, generator);
  conv.kernel = pick({Kernel{3, 3, 3}, Kernel{3, 3, 3}, Kernel{5, 5, 5}, Kernel{3, 1, 1}, Kernel{1, 3, 3},
                      Kernel{1, 1, 1}, Kernel{7, 7, 7}, Kernel{1, 5, 3}, Kernel{3, 7, 1}},
                     generator);
  if (!odd && a.temporal_padding != TemporalPadding::kSame) conv.kernel[0] = pick({2, 4}, generator);
  if (!odd && a.spatial_padding != SpatialPadding::kSame) conv.kernel[2] = pick({2, 6}, generator);
  if (chance(25, generator)) {
    for (std::int64_t& stride : a.strides) stride = pick({1, 2, 3}, generator);
  }
  if (chance(25, generator)) {
    for (std::int64_t& dilation : a.dilations) dilation = pick({1, 2, 3}, generator);
  }
  conv.x = {pick({1, 1, 2}, generator), pick({1, 3, 8, 17, 33}, generator), pick({1, 2, 3, 5, 7}, generator),
            pick({1, 2, 5, 8, 13}, generator), pick({1, 3, 8, 17, 31, 40}, generator)};
  std::int64_t* sizes[] = {&conv.x.t, &conv.x.h, &conv.x.w};
  for (int axis = 0; axis < 3; ++axis) {
    const bool valid =
        axis == 0 ? a.temporal_padding == TemporalPadding::kValid : a.spatial_padding == SpatialPadding::kValid;
    if (valid) *sizes[axis] = std::max(*sizes[axis], (conv.kernel[axis] - 1) * a.dilations[axis] + 1);
  }
  // Under a sanitizer, or on an emulated device, the largest would take most of the time.
  if (conv.x.elements() * conv.kernel[0] * conv.kernel[1] * conv.kernel[2] > 1'000'000) {
    conv.x.n = 1;
    conv.x.c = std::min<std::int64_t>(conv.x.c, 3);
  }
  conv.bias = chance(70, generator);
  conv.residual = chance(30, generator);
  if (a.temporal_padding == TemporalPadding::kCausal && conv.kernel[0] > 1) {
    conv.cache_in = chance(50, generator);
    conv.cache_out = chance(50, generator);
  }
  return conv;
}

}  // namespace

std::vector<ConvCase> depthwise_cases() {
  constexpr std::uint32_t kCases = 400;
  std::vector<ConvCase> cases;
  for (std::uint32_t seed = 1; seed <= kCases; ++seed) cases.push_back(random_case(seed));
  return cases;
}

std::vector<ConvCase> separable_cases() {
  constexpr std::uint32_t kCases = 150;
  std::vector<ConvCase> cases;
  for (std::uint32_t seed = 1001; seed <= 1000 + kCases; ++seed) {
    ConvCase conv = random_case(seed);
    std::mt19937 generator(seed);
    conv.outputs = pick({1, 5, 16, 34}, generator);
    conv.output_activation = pick({Activation::kNone, Activation::kSilu, Activation::kGelu}, generator);
    conv.pointwise_bias = chance(70, generator);
    cases.push_back(conv);
  }
  return cases;
}

}  // namespace vidrt::kernels::testing
