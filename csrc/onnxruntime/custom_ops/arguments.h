// A node's inputs by role, and the sizes that the kernels take from them.
#pragma once

#include <onnxruntime_c_api.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/depthwise_conv3d.h"
#include "kernels/depthwise_separable_conv3d.h"
#include "onnxruntime/custom_ops/signature.h"

namespace vidrt::custom_ops {

/// An input as far as it is known: in a run all of it, before that perhaps no data and some sizes of -1.
struct Argument {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<std::int64_t> dims;
  bool has_rank = false;  // false: not even the number of dimensions is known
  const void* data = nullptr;

  bool has_dims() const;
};

class Arguments {
 public:
  std::optional<Argument>& operator[](Role role) { return arguments_[static_cast<std::size_t>(role)]; }
  const std::optional<Argument>& operator[](Role role) const { return arguments_[static_cast<std::size_t>(role)]; }

  /// Null where the input is absent.
  const void* data(Role role) const { return (*this)[role] ? (*this)[role]->data : nullptr; }

 private:
  std::array<std::optional<Argument>, kRoles> arguments_;
};

/// What the node itself says about its convolution.
struct NodeFacts {
  kernels::DepthwiseConv3dAttributes attributes;
  bool separable = false;
  kernels::Activation output_activation = kernels::Activation::kNone;
  bool wants_cache_out = false;
};

/// "the shape (2,?,3)", for messages.
std::string shape_name(const std::vector<std::int64_t>& dims);

// All of these throw std::invalid_argument that names the input, what it is and what was expected.

/// Nodes may leave out optional inputs only; the functions below rely on it.
void check_present(const Signature& signature, const Arguments& arguments);

/// That of an input of this type.
kernels::ElementType element_type(Role role, ONNXTensorElementDataType type);

/// The element type of X, which every other input must have as well.
kernels::ElementType element_type(const Arguments& arguments);

/// The inputs' sizes, all of which must be known.
kernels::DepthwiseConv3dInputs depthwise_inputs(const NodeFacts& node, const Arguments& arguments);
kernels::DepthwiseSeparableConv3dInputs separable_inputs(const NodeFacts& node, const Arguments& arguments);

/// Check all that does not hang on sizes that are only known in a run.
void check_what_is_known(const NodeFacts& node, const Arguments& arguments);

}  // namespace vidrt::custom_ops
