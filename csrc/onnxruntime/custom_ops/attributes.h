// A node's attributes, read where ONNX Runtime shows them: while a kernel is made, and while shapes are inferred.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/conv3d_types.h"

namespace vidrt::custom_ops {

/// Absent attributes have no value.
class AttributeReader {
 public:
  virtual ~AttributeReader() = default;
  virtual std::optional<std::string> text(const char* name) const = 0;
  virtual std::optional<std::vector<std::int64_t>> numbers(const char* name) const = 0;
};

/// Throws std::invalid_argument for an attribute of another type.
class KernelAttributes : public AttributeReader {
 public:
  KernelAttributes(const OrtApi& api, const OrtKernelInfo* info) : api_(api), info_(info) {}
  std::optional<std::string> text(const char* name) const override;
  std::optional<std::vector<std::int64_t>> numbers(const char* name) const override;

 private:
  bool exists(const char* name) const;

  const OrtApi& api_;
  const OrtKernelInfo* info_;
};

/// Attributes of another type read as empty.
class ShapeAttributes : public AttributeReader {
 public:
  ShapeAttributes(const OrtApi& api, const OrtShapeInferContext* context) : api_(api), context_(context) {}
  std::optional<std::string> text(const char* name) const override;
  std::optional<std::vector<std::int64_t>> numbers(const char* name) const override;

 private:
  /// The attribute's bytes as ONNX Runtime gives them for this type; no value where there is no such attribute.
  std::optional<std::vector<char>> bytes(const char* name, OrtOpAttrType type) const;

  const OrtApi& api_;
  const OrtShapeInferContext* context_;
};

/// The attributes of both operators, defaults where a node has none. Throws std::invalid_argument that names the
/// attribute. Attributes of other names are not looked at: nodes for TensorRT carry plugin_version and
/// plugin_namespace.
kernels::DepthwiseConv3dAttributes read_attributes(const AttributeReader& reader);

/// DepthwiseSeparableConv3d's own.
kernels::Activation read_output_activation(const AttributeReader& reader);

}  // namespace vidrt::custom_ops
