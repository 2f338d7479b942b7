#include "onnxruntime/custom_ops/arguments.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace vidrt::custom_ops {
namespace {

using Dims5 = std::array<std::int64_t, 5>;

[[noreturn]] void refuse(Role role, const std::string& got, const std::string& expected) {
  throw std::invalid_argument(std::string(name_of(role)) + ": got " + got + ", expected " + expected + ".");
}

const char* type_name(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return "float32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return "float16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return "bfloat16";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return "float64";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return "int8";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return "int32";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return "int64";
    default:
      return "another type";
  }
}

void check_rank(Role role, const Argument& argument, std::size_t rank, const std::string& expected) {
  if (argument.has_rank && argument.dims.size() != rank) refuse(role, shape_name(argument.dims), expected);
}

std::string clip_axes(kernels::DataLayout layout) {
  return layout == kernels::DataLayout::kNCTHW ? "5 dimensions (N,C,T,H,W)" : "5 dimensions (N,T,H,W,C)";
}

constexpr const char* kFilterAxes = "5 dimensions (C,1,kT,kH,kW)";
constexpr const char* kPointwiseAxes = "(O,C) or (O,C,1,1,1)";

bool is_pointwise(const std::vector<std::int64_t>& dims) {
  // A size that is not known yet may be anything.
  const auto one = [](std::int64_t size) { return size == 1 || size == -1; };
  return dims.size() == 2 || (dims.size() == 5 && std::all_of(dims.begin() + 2, dims.end(), one));
}

void check_ranks(const NodeFacts& node, const Arguments& arguments) {
  const std::string clip = clip_axes(node.attributes.data_layout);
  for (const Role role : {Role::kX, Role::kResidual, Role::kCacheIn}) {
    if (arguments[role]) check_rank(role, *arguments[role], 5, clip);
  }
  check_rank(Role::kWeight, *arguments[Role::kWeight], 5, kFilterAxes);
  for (const Role role : {Role::kBias, Role::kPointwiseBias}) {
    if (arguments[role]) check_rank(role, *arguments[role], 1, "1 dimension");
  }
  if (const auto& pointwise = arguments[Role::kPointwise]) {
    if (pointwise->has_rank && !is_pointwise(pointwise->dims)) {
      refuse(Role::kPointwise, shape_name(pointwise->dims), kPointwiseAxes);
    }
  }
}

Dims5 dims5(const Argument& argument) {
  Dims5 dims{};
  std::copy(argument.dims.begin(), argument.dims.end(), dims.begin());
  return dims;
}

std::optional<Dims5> optional_dims5(const std::optional<Argument>& argument) {
  if (!argument) return std::nullopt;
  return dims5(*argument);
}

std::optional<std::int64_t> length(const std::optional<Argument>& argument) {
  if (!argument) return std::nullopt;
  return argument->dims[0];
}

// X as it is known; in place of the sizes that are not, the smallest that this filter can be used on. W's are known.
Dims5 smallest_x(const NodeFacts& node, const Arguments& arguments) {
  const Argument& x = *arguments[Role::kX];
  const std::vector<std::int64_t>& weight = arguments[Role::kWeight]->dims;
  kernels::ClipShape smallest{1, std::max<std::int64_t>(weight[0], 1)};
  std::int64_t* const sizes[] = {&smallest.t, &smallest.h, &smallest.w};
  for (int axis = 0; axis < 3; ++axis) {
    // Absurd values are refused later; here they only must not overflow.
    const std::int64_t taps = std::clamp<std::int64_t>(weight[axis + 2], 1, kernels::kMaxKernel);
    const std::int64_t dilation = std::clamp<std::int64_t>(node.attributes.dilations[axis], 1, 1 << 16);
    *sizes[axis] = (taps - 1) * dilation + 1;
  }
  Dims5 dims = smallest.dims(node.attributes.data_layout);
  for (std::size_t i = 0; i < dims.size() && x.has_rank; ++i) {
    if (x.dims[i] != -1) dims[i] = x.dims[i];
  }
  return dims;
}

}  // namespace

std::string shape_name(const std::vector<std::int64_t>& dims) {
  std::string text = "the shape (";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ",") + (dims[i] < 0 ? "?" : std::to_string(dims[i]));
  }
  return text + ")";
}

kernels::ElementType element_type(Role role, ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return kernels::ElementType::kFloat32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return kernels::ElementType::kFloat16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return kernels::ElementType::kBFloat16;
    default:
      refuse(role, type_name(type), "float32, float16 or bfloat16");
  }
}

bool Argument::has_dims() const {
  return has_rank && std::all_of(dims.begin(), dims.end(), [](std::int64_t size) { return size != -1; });
}

void check_present(const Signature& signature, const Arguments& arguments) {
  for (const Role role : signature.inputs) {
    if (!arguments[role] && !is_optional(role)) refuse(role, "no input", "one");
  }
}

kernels::ElementType element_type(const Arguments& arguments) {
  const ONNXTensorElementDataType type = arguments[Role::kX]->type;
  for (std::size_t i = 1; i < kRoles; ++i) {
    const Role role = static_cast<Role>(i);
    if (arguments[role] && arguments[role]->type != type) {
      refuse(role, type_name(arguments[role]->type), std::string(type_name(type)) + ", the type of X");
    }
  }
  return element_type(Role::kX, type);
}

kernels::DepthwiseConv3dInputs depthwise_inputs(const NodeFacts& node, const Arguments& arguments) {
  check_ranks(node, arguments);
  kernels::DepthwiseConv3dInputs inputs;
  inputs.x = dims5(*arguments[Role::kX]);
  inputs.weight = dims5(*arguments[Role::kWeight]);
  inputs.bias = length(arguments[Role::kBias]);
  inputs.residual = optional_dims5(arguments[Role::kResidual]);
  inputs.cache_in = optional_dims5(arguments[Role::kCacheIn]);
  inputs.wants_cache_out = node.wants_cache_out;
  return inputs;
}

kernels::DepthwiseSeparableConv3dInputs separable_inputs(const NodeFacts& node, const Arguments& arguments) {
  kernels::DepthwiseSeparableConv3dInputs inputs;
  inputs.depthwise = depthwise_inputs(node, arguments);
  const std::vector<std::int64_t>& pointwise = arguments[Role::kPointwise]->dims;
  inputs.pointwise = {pointwise[0], pointwise[1]};
  inputs.pointwise_bias = length(arguments[Role::kPointwiseBias]);
  return inputs;
}

void check_what_is_known(const NodeFacts& node, const Arguments& arguments) {
  const kernels::ElementType type = element_type(arguments);
  check_ranks(node, arguments);
  if (!arguments[Role::kWeight]->has_dims()) return;
  const bool all_of_x = arguments[Role::kX]->has_dims();
  Arguments known = arguments;
  known[Role::kX]->dims.assign(5, 0);
  const Dims5 x = smallest_x(node, arguments);
  std::copy(x.begin(), x.end(), known[Role::kX]->dims.begin());
  for (const Role role : {Role::kBias, Role::kPointwiseBias}) {
    if (known[role] && !known[role]->has_dims()) known[role].reset();
  }
  // These have sizes of the whole of X.
  for (const Role role : {Role::kResidual, Role::kCacheIn}) {
    if (known[role] && !(all_of_x && known[role]->has_dims())) known[role].reset();
  }
  if (node.separable && known[Role::kPointwise]->has_dims()) {
    kernels::make_depthwise_separable_conv3d_problem(node.attributes, node.output_activation, type,
                                                     separable_inputs(node, known));
    return;
  }
  if (node.separable) known[Role::kResidual].reset();
  kernels::make_depthwise_conv3d_problem(node.attributes, type, depthwise_inputs(node, known));
}

}  // namespace vidrt::custom_ops
