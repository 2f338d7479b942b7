// vidrt::MatMul: the product with a matrix that is read as it is stored, for ONNX Runtime's CPU provider.
#pragma once

#include <onnxruntime_c_api.h>

#include "onnxruntime/custom_ops/plain_custom_op.h"

namespace vidrt::custom_ops {

constexpr const char* kMatMul = "MatMul";

/// Y = X·W. X (..., inputs) float32; W float32, float16 or bfloat16, (inputs, outputs), or where the attribute
/// `weight_layout` is "OI" and not "IO", (outputs, inputs). Not an operator of bundles: graphs get it while they are
/// loaded (runtime/lifted_graph.h). ONNX Runtime keeps the address.
class MatMulOp : public PlainCustomOp {
 public:
  MatMulOp(const OrtApi& api, bool infers_shapes, int threads);

  const OrtApi& api() const { return *api_; }
  int threads() const { return threads_; }

 private:
  const OrtApi* api_;
  int threads_;
};

}  // namespace vidrt::custom_ops
