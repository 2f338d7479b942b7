#include "onnxruntime/custom_ops/custom_op.h"

#include <memory>
#include <string>
#include <utility>

#include "onnxruntime/custom_ops/attributes.h"
#include "onnxruntime/custom_ops/conv_node.h"
#include "onnxruntime/custom_ops/ort_call.h"
#include "onnxruntime/custom_ops/ort_shapes.h"

namespace vidrt::custom_ops {
namespace {

const CustomOp& self(const OrtCustomOp* op) { return *static_cast<const CustomOp*>(op); }

// What a kernel is to ONNX Runtime.
struct Kernel {
  std::unique_ptr<ConvNode> node;
  const OrtApi& api;
  int threads;
};

OrtStatus* ORT_API_CALL create_kernel(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info,
                                      void** kernel) noexcept {
  std::string where;
  return as_status(*api, where, [&] {
    const Signature& signature = self(op).signature();
    where = KernelInfo(*api, info).label(signature.name);
    *kernel = new Kernel{ConvNode::make(signature, where, *api, info), *api, self(op).threads()};
  });
}

OrtStatus* ORT_API_CALL run_kernel(void* raw, OrtKernelContext* context) noexcept {
  const Kernel& kernel = *static_cast<const Kernel*>(raw);
  return as_status(kernel.api, kernel.node->label(), [&] {
    KernelRun run(kernel.api, context, kernel.threads);
    kernel.node->run(run);
  });
}

void ORT_API_CALL destroy_kernel(void* kernel) noexcept { delete static_cast<Kernel*>(kernel); }

void infer(const CustomOp& op, OrtShapeInferContext* context) {
  const OrtApi& api = op.api();
  const Signature& signature = op.signature();
  std::size_t count = 0;
  require(api, api.ShapeInferContext_GetInputCount(context, &count));
  // Of all operators of a name, ONNX Runtime asks the first: the type is not its own.
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  SymbolicShape x;
  SymbolicShape weight;
  SymbolicShape pointwise;
  for (std::size_t i = 0; i < count && i < signature.inputs.size(); ++i) {
    InferredInput input = read_input(api, context, i);
    const Role role = signature.inputs[i];
    if (role == Role::kX) {
      type = input.type;
      x = std::move(input.shape);
    } else if (role == Role::kWeight) {
      weight = std::move(input.shape);
    } else if (role == Role::kPointwise) {
      pointwise = std::move(input.shape);
    }
  }
  const std::optional<SymbolicShape> y = infer_shape(read_attributes(ShapeAttributes(api, context)), x, weight,
                                                     signature.separable ? &pointwise : nullptr);
  // Not cache_out's: whether the node has it cannot be asked, and setting the shape of an output that it has not writes
  // beyond the end of ONNX Runtime's list.
  if (y) write_output(api, context, *y, type);
}

// ONNX Runtime drops the status that it gets from here, so what is wrong with a node is left to create_kernel to say.
OrtStatus* ORT_API_CALL infer_shapes_of_node(const OrtCustomOp* op, OrtShapeInferContext* context) noexcept {
  try {
    infer(self(op), context);
  } catch (...) {  // no shape is known, which is no error
  }
  return nullptr;
}

}  // namespace

CustomOp::CustomOp(const Signature& signature, ONNXTensorElementDataType type, const OrtApi& api, bool infers_shapes,
                   int threads)
    : signature_(&signature), api_(&api), threads_(threads), type_(type) {
  GetName = [](const OrtCustomOp* op) { return self(op).signature().name; };
  GetInputTypeCount = [](const OrtCustomOp* op) { return self(op).signature().inputs.size(); };
  GetInputType = [](const OrtCustomOp* op, std::size_t index) {
    return self(op).signature().inputs[index] == Role::kX ? self(op).type() : ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  };
  GetInputCharacteristic = [](const OrtCustomOp* op, std::size_t index) {
    return is_optional(self(op).signature().inputs[index]) ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  };
  GetOutputTypeCount = [](const OrtCustomOp*) { return kOutputs; };
  GetOutputType = [](const OrtCustomOp* op, std::size_t) { return self(op).type(); };
  GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t index) {
    return index == kCacheOut ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  };
  CreateKernelV2 = create_kernel;
  KernelComputeV2 = run_kernel;
  KernelDestroy = destroy_kernel;
  InferOutputShapeFn = infers_shapes ? infer_shapes_of_node : nullptr;
}

}  // namespace vidrt::custom_ops
