// Shapes while ONNX Runtime infers them.
#pragma once

#include <onnxruntime_c_api.h>

#include "onnxruntime/custom_ops/shape_inference.h"

namespace vidrt::custom_ops {

struct InferredInput {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  SymbolicShape shape;
};

/// Throw std::runtime_error with ONNX Runtime's message.
InferredInput read_input(const OrtApi& api, const OrtShapeInferContext* context, std::size_t index);
void write_output(const OrtApi& api, OrtShapeInferContext* context, const SymbolicShape& shape,
                  ONNXTensorElementDataType type);

}  // namespace vidrt::custom_ops
