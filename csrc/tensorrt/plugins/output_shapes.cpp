#include "tensorrt/plugins/output_shapes.h"

#include <optional>
#include <stdexcept>
#include <string>

#include "kernels/depthwise_separable_conv3d.h"
#include "tensorrt/plugins/plugin_tensors.h"

namespace vidrt::trt {
namespace {

using kernels::ClipShape;
using kernels::DataLayout;
using nvinfer1::DimensionOperation;
using nvinfer1::DimsExprs;
using nvinfer1::IDimensionExpr;
using nvinfer1::IExprBuilder;

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

// A clip's expressions by axis, whatever the order in which they lie.
struct ClipExprs {
  const IDimensionExpr *n, *c, *t, *h, *w;

  static ClipExprs from(const DimsExprs& dims, DataLayout layout) {
    const auto& d = dims.d;
    if (layout == DataLayout::kNCTHW) return {d[0], d[1], d[2], d[3], d[4]};
    return {d[0], d[4], d[1], d[2], d[3]};
  }
  DimsExprs dims(DataLayout layout) const {
    if (layout == DataLayout::kNCTHW) return {5, {n, c, t, h, w}};
    return {5, {n, t, h, w, c}};
  }
};

std::optional<std::int64_t> known(const IDimensionExpr& expr) {
  if (!expr.isConstant()) return std::nullopt;
  return expr.getConstantValue();
}

// What is known of the inputs, with sizes that fit in place of the others: the operator's own checks then speak for
// what is known, and its result has all that depends on filter and attributes alone.
class KnownSizes {
 public:
  KnownSizes(const ConvSpec& spec, const DimsExprs* inputs) : spec_(spec) {
    const std::vector<ConvInput> roles = inputs_of(spec);
    for (std::size_t i = 0; i < roles.size(); ++i) {
      check_rank(roles[i], inputs[i].nbDims);
      dims_[static_cast<std::size_t>(roles[i])] = &inputs[i];
    }
  }

  const DimsExprs& operator[](ConvInput input) const { return *dims_[static_cast<std::size_t>(input)]; }

  kernels::DepthwiseSeparableConv3dProblem problem() const {
    kernels::DepthwiseConv3dInputs depthwise;
    depthwise.weight = weight();
    const ClipExprs x = ClipExprs::from((*this)[ConvInput::kX], spec_.attributes.data_layout);
    const auto size = [&](const IDimensionExpr* expr, int axis) {
      return known(*expr).value_or((depthwise.weight[2 + axis] - 1) * dilation(axis) + 1);
    };
    const ClipShape shape{known(*x.n).value_or(1), known(*x.c).value_or(depthwise.weight[0]), size(x.t, 0),
                          size(x.h, 1), size(x.w, 2)};
    depthwise.x = shape.dims(spec_.attributes.data_layout);
    depthwise.wants_cache_out = spec_.has_cache_in || spec_.has_cache_out;
    if (spec_.has_bias) depthwise.bias = known(*(*this)[ConvInput::kBias].d[0]).value_or(shape.c);
    // Not the type of the tensors: it makes no difference to sizes.
    constexpr auto kType = kernels::ElementType::kFloat32;
    if (!spec_.separable()) {
      const auto made = kernels::make_depthwise_conv3d_problem(spec_.attributes, kType, depthwise);
      return {made, made.y, kernels::Activation::kNone};
    }
    kernels::DepthwiseSeparableConv3dInputs separable;
    separable.depthwise = depthwise;
    const DimsExprs& pointwise = (*this)[ConvInput::kPointwise];
    separable.pointwise = {known(*pointwise.d[0]).value_or(1), known(*pointwise.d[1]).value_or(shape.c)};
    if (spec_.has_pointwise_bias) {
      separable.pointwise_bias = known(*(*this)[ConvInput::kPointwiseBias].d[0]).value_or(separable.pointwise[0]);
    }
    return kernels::make_depthwise_separable_conv3d_problem(spec_.attributes, spec_.output_activation, kType,
                                                            separable);
  }

 private:
  std::int64_t dilation(int axis) const { return spec_.attributes.dilations[static_cast<std::size_t>(axis)]; }

  std::array<std::int64_t, 5> weight() const {
    const DimsExprs& dims = (*this)[ConvInput::kWeight];
    const std::optional<std::int64_t> taps[] = {known(*dims.d[2]), known(*dims.d[3]), known(*dims.d[4])};
    if (!taps[0] || !taps[1] || !taps[2]) {
      refuse("W: got a filter size that is not known before the network runs, expected constant sizes.");
    }
    const ClipExprs x = ClipExprs::from((*this)[ConvInput::kX], spec_.attributes.data_layout);
    const std::int64_t channels = known(*dims.d[0]).value_or(known(*x.c).value_or(1));
    return {channels, known(*dims.d[1]).value_or(1), *taps[0], *taps[1], *taps[2]};
  }

  const ConvSpec& spec_;
  std::array<const DimsExprs*, kConvInputs> dims_{};
};

// (size + before + after - reach - 1) / stride + 1
const IDimensionExpr* out_size(const kernels::DepthwiseConv3dProblem& problem, int axis, const IDimensionExpr& size,
                               IExprBuilder& builder) {
  const auto i = static_cast<std::size_t>(axis);
  const std::int64_t reach = (problem.kernel[i] - 1) * problem.attributes.dilations[i];
  const std::int64_t shrink = reach - problem.pad_before[i] - problem.pad_after[i];
  const std::int64_t stride = problem.attributes.strides[i];
  const IDimensionExpr* out = &size;
  if (stride == 1) {
    return shrink == 0 ? out : builder.operation(DimensionOperation::kSUB, size, *builder.constant(shrink));
  }
  out = builder.operation(DimensionOperation::kSUB, *out, *builder.constant(shrink + 1));
  out = builder.operation(DimensionOperation::kFLOOR_DIV, *out, *builder.constant(stride));
  return builder.operation(DimensionOperation::kSUM, *out, *builder.constant(1));
}

// Refuses an input whose shape is known to differ from what it must be.
void check_same(ConvInput input, const ClipExprs& got, const ClipExprs& expected) {
  const std::pair<const IDimensionExpr*, const IDimensionExpr*> axes[] = {
      {got.n, expected.n}, {got.c, expected.c}, {got.t, expected.t}, {got.h, expected.h}, {got.w, expected.w}};
  constexpr const char* kNames[] = {"batch", "channels", "time", "height", "width"};
  for (std::size_t i = 0; i < std::size(axes); ++i) {
    const auto [is, wanted] = axes[i];
    if (is->isConstant() && wanted->isConstant() && is->getConstantValue() != wanted->getConstantValue()) {
      refuse(std::string(to_string(input)) + ": got " + std::to_string(is->getConstantValue()) + " along " + kNames[i] +
             ", expected " + std::to_string(wanted->getConstantValue()) + ".");
    }
  }
}

}  // namespace

void write_output_shapes(const ConvSpec& spec, const DimsExprs* inputs, DimsExprs* outputs, IExprBuilder& builder) {
  const KnownSizes sizes(spec, inputs);
  const kernels::DepthwiseSeparableConv3dProblem problem = sizes.problem();
  const DataLayout layout = spec.attributes.data_layout;
  const ClipExprs x = ClipExprs::from(sizes[ConvInput::kX], layout);
  ClipExprs y = x;
  y.c = spec.separable() ? sizes[ConvInput::kPointwise].d[0] : x.c;
  y.t = out_size(problem.depthwise, 0, *x.t, builder);
  y.h = out_size(problem.depthwise, 1, *x.h, builder);
  y.w = out_size(problem.depthwise, 2, *x.w, builder);
  outputs[0] = y.dims(layout);
  ClipExprs cache = x;
  cache.t = builder.constant(problem.depthwise.cache_frames);
  if (spec.has_cache_out) outputs[1] = cache.dims(layout);
  if (spec.has_residual) check_same(ConvInput::kResidual, ClipExprs::from(sizes[ConvInput::kResidual], layout), y);
  if (spec.has_cache_in) check_same(ConvInput::kCacheIn, ClipExprs::from(sizes[ConvInput::kCacheIn], layout), cache);
}

}  // namespace vidrt::trt
