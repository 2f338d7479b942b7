// An operator for one element type of X, as ONNX Runtime asks for it.
#pragma once

#include <onnxruntime_c_api.h>

#include "onnxruntime/custom_ops/plain_custom_op.h"
#include "onnxruntime/custom_ops/signature.h"

namespace vidrt::custom_ops {

/// ONNX Runtime keeps the address.
class CustomOp : public PlainCustomOp {
 public:
  /// Operators of one name differ in `type`, the element type of X and the outputs. The other inputs may have any, so
  /// that a mix of types reaches our check, which says what is wrong, instead of finding no kernel.
  CustomOp(const Signature& signature, ONNXTensorElementDataType type, const OrtApi& api, bool infers_shapes,
           int threads);

  const Signature& signature() const { return *signature_; }
  const OrtApi& api() const { return *api_; }
  int threads() const { return threads_; }
  ONNXTensorElementDataType type() const { return type_; }

 private:
  const Signature* signature_;
  const OrtApi* api_;
  int threads_;
  ONNXTensorElementDataType type_;
};

}  // namespace vidrt::custom_ops
