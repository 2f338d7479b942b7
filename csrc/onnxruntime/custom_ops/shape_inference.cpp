#include "onnxruntime/custom_ops/shape_inference.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/depthwise_conv3d.h"

namespace vidrt::custom_ops {
namespace {

constexpr std::size_t kAxes = 5;
Dimension number(std::int64_t value) { return {value, ""}; }
Dimension unknown() { return {}; }

// Where n, c, t, h and w stand.
std::array<std::size_t, kAxes> places(kernels::DataLayout layout) {
  if (layout == kernels::DataLayout::kNCTHW) return {0, 1, 2, 3, 4};
  return {0, 4, 1, 2, 3};
}

std::string in_parentheses(const std::string& symbol) {
  const bool expression = symbol.find_first_of(" +-*/()") != std::string::npos;
  return expression ? "(" + symbol + ")" : symbol;
}

// The size of a result along an axis: `lost` positions of the input are no first position of a filter that is used.
Dimension result_size(const Dimension& input, std::int64_t stride, std::int64_t lost) {
  if (input.is_number()) {
    if (input.value < 1 || input.value <= lost) return unknown();
    return number((input.value - lost - 1) / stride + 1);
  }
  if (input.symbol.empty()) return unknown();
  const std::string name = in_parentheses(input.symbol);
  if (stride > 1)
    return {-1, "floor((" + name + " - " + std::to_string(lost + 1) + ")/" + std::to_string(stride) + ") + 1"};
  if (lost > 0) return {-1, name + " - " + std::to_string(lost)};
  return input;
}

// (k-1)*d, or -1 where the filter's size is not known or absurd.
std::int64_t reach(const Dimension& taps, std::int64_t dilation) {
  return taps.value >= 1 && taps.value <= kernels::kMaxKernel ? (taps.value - 1) * dilation : -1;
}

bool are_sane(const std::array<std::int64_t, 3>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n >= 1 && n <= 1 << 16; });
}

}  // namespace

bool operator==(const Dimension& a, const Dimension& b) { return a.value == b.value && a.symbol == b.symbol; }

std::optional<SymbolicShape> infer_shape(const kernels::DepthwiseConv3dAttributes& attributes, const SymbolicShape& x,
                                         const SymbolicShape& weight, const SymbolicShape* pointwise) {
  if (x.size() != kAxes || !are_sane(attributes.strides) || !are_sane(attributes.dilations)) return std::nullopt;
  const bool has_weight = weight.size() == kAxes;
  const auto [n, c, t, h, w] = places(attributes.data_layout);
  SymbolicShape y(kAxes);
  y[n] = x[n];
  y[c] = has_weight && !x[c].is_number() ? weight[0] : x[c];
  if (pointwise != nullptr) y[c] = pointwise->empty() ? unknown() : (*pointwise)[0];

  const std::size_t axes[] = {t, h, w};
  const bool spatial_valid = attributes.spatial_padding == kernels::SpatialPadding::kValid;
  const bool valid[] = {attributes.temporal_padding == kernels::TemporalPadding::kValid, spatial_valid, spatial_valid};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t lost = !valid[i] ? 0 : has_weight ? reach(weight[i + 2], attributes.dilations[i]) : -1;
    y[axes[i]] = lost < 0 ? unknown() : result_size(x[axes[i]], attributes.strides[i], lost);
  }
  const bool all = std::all_of(y.begin(), y.end(), [](const Dimension& dimension) { return dimension.is_known(); });
  return all ? std::optional<SymbolicShape>(std::move(y)) : std::nullopt;
}

}  // namespace vidrt::custom_ops
