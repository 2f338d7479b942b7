#include "onnxruntime/custom_ops/ort_shapes.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "onnxruntime/custom_ops/ort_call.h"
#include "onnxruntime/ort_handle.h"

namespace vidrt::custom_ops {

InferredInput read_input(const OrtApi& api, const OrtShapeInferContext* context, std::size_t index) {
  OrtTensorTypeAndShapeInfo* info = nullptr;  // the context's
  require(api, api.ShapeInferContext_GetInputTypeShape(context, index, &info));
  InferredInput input;
  require(api, api.GetTensorElementType(info, &input.type));
  std::size_t rank = 0;
  require(api, api.GetDimensionsCount(info, &rank));
  std::vector<std::int64_t> numbers(rank);
  std::vector<const char*> symbols(rank, nullptr);
  require(api, api.GetDimensions(info, numbers.data(), rank));
  require(api, api.GetSymbolicDimensions(info, symbols.data(), rank));
  for (std::size_t i = 0; i < rank; ++i) input.shape.push_back({numbers[i], symbols[i] != nullptr ? symbols[i] : ""});
  return input;
}

void write_output(const OrtApi& api, OrtShapeInferContext* context, const SymbolicShape& shape,
                  ONNXTensorElementDataType type) {
  // A size without a number or a name would be one of the empty name, and ONNX Runtime takes those of one name for the
  // same: it would put a tensor where another of that "shape" lay.
  if (!std::all_of(shape.begin(), shape.end(), [](const Dimension& dimension) { return dimension.is_known(); })) return;
  std::vector<std::int64_t> numbers;
  std::vector<const char*> symbols;
  for (const Dimension& dimension : shape) {
    numbers.push_back(dimension.value);
    symbols.push_back(dimension.symbol.c_str());
  }
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  require(api, api.CreateTensorTypeAndShapeInfo(&raw));
  const OrtHandle<OrtTensorTypeAndShapeInfo> info = own(raw, api.ReleaseTensorTypeAndShapeInfo);
  require(api, api.SetTensorElementType(info.get(), type));
  require(api, api.SetDimensions(info.get(), numbers.data(), numbers.size()));
  require(api, api.SetSymbolicDimensions(info.get(), symbols.data(), symbols.size()));
  require(api, api.ShapeInferContext_SetOutputTypeShape(context, 0, info.get()));
}

}  // namespace vidrt::custom_ops
