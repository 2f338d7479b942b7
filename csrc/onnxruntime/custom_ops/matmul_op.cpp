#include "onnxruntime/custom_ops/matmul_op.h"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/matmul.h"
#include "onnxruntime/custom_ops/attributes.h"
#include "onnxruntime/custom_ops/kernel_views.h"
#include "onnxruntime/custom_ops/ort_call.h"
#include "onnxruntime/custom_ops/ort_shapes.h"
#include "onnxruntime/custom_ops/scratch.h"

namespace vidrt::custom_ops {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kWeight = 1;

// Whether the attribute weight_layout says (outputs, inputs).
bool is_transposed(const AttributeReader& reader) {
  const std::string layout = reader.text("weight_layout").value_or("IO");
  if (layout != "IO" && layout != "OI") {
    throw std::invalid_argument("attribute weight_layout: got '" + layout + "', expected 'IO' or 'OI'.");
  }
  return layout == "OI";
}

kernels::MatMulProblem make_problem(bool transposed, const Argument& x, const Argument& weight) {
  if (x.dims.empty() || weight.dims.size() != 2) {
    throw std::invalid_argument("got X with " + shape_name(x.dims) + " and W with " + shape_name(weight.dims) +
                                ", expected X with at least 1 dimension and W with 2.");
  }
  kernels::MatMulProblem problem;
  problem.inner = weight.dims[transposed ? 1 : 0];
  problem.columns = weight.dims[transposed ? 0 : 1];
  problem.rows = 1;
  for (std::size_t i = 0; i + 1 < x.dims.size(); ++i) problem.rows *= x.dims[i];
  if (x.dims.back() != problem.inner) {
    throw std::invalid_argument("X: got " + std::to_string(x.dims.back()) + " columns, expected W's " +
                                std::to_string(problem.inner) + ".");
  }
  problem.weight_type = element_type(Role::kWeight, weight.type);
  problem.transposed = transposed;
  return problem;
}

// What a kernel is to ONNX Runtime.
struct Kernel {
  std::string label;
  bool transposed;
  OrtHandle<OrtAllocator> allocator;
  const OrtApi& api;
  int threads;

  void run(OrtKernelContext* context) const {
    KernelRun run(api, context, threads);
    const std::optional<Argument> x = run.input(kX);
    const std::optional<Argument> weight = run.input(kWeight);
    if (!x || !weight) throw std::invalid_argument("got a node without X or W, expected both.");
    const kernels::MatMulProblem problem = make_problem(transposed, *x, *weight);
    std::vector<std::int64_t> dims = x->dims;
    dims.back() = problem.columns;
    const Scratch scratch(allocator.get(), kernels::matmul_scratch_bytes(problem));
    kernels::MatMulTensors tensors;
    tensors.x = static_cast<const float*>(x->data);
    tensors.weight = weight->data;
    tensors.y = static_cast<float*>(run.output(0, dims));
    tensors.scratch = scratch.data();
    kernels::matmul_cpu(problem, tensors, run.parallel());
    run.check_threads();
  }
};

const MatMulOp& self(const OrtCustomOp* op) { return *static_cast<const MatMulOp*>(op); }

OrtStatus* ORT_API_CALL create_kernel(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* raw,
                                      void** kernel) noexcept {
  std::string where;
  return as_status(*api, where, [&] {
    const KernelInfo info(*api, raw);
    where = info.label(kMatMul);
    const bool transposed = is_transposed(KernelAttributes(*api, raw));
    element_type(Role::kWeight, info.argument(kWeight).type);
    *kernel = new Kernel{where, transposed, info.allocator(), *api, self(op).threads()};
  });
}

OrtStatus* ORT_API_CALL run_kernel(void* raw, OrtKernelContext* context) noexcept {
  const Kernel& kernel = *static_cast<const Kernel*>(raw);
  return as_status(kernel.api, kernel.label, [&] { kernel.run(context); });
}

// ONNX Runtime drops the status that it gets from here, so what is wrong with a node is left to create_kernel to say.
OrtStatus* ORT_API_CALL infer_shape_of_node(const OrtCustomOp* op, OrtShapeInferContext* context) noexcept {
  try {
    const OrtApi& api = self(op).api();
    const bool transposed = is_transposed(ShapeAttributes(api, context));
    SymbolicShape y = read_input(api, context, kX).shape;
    const SymbolicShape weight = read_input(api, context, kWeight).shape;
    if (y.empty() || weight.size() != 2) return nullptr;
    y.back() = weight[transposed ? 0 : 1];
    write_output(api, context, y, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  } catch (...) {  // no shape is known, which is no error
  }
  return nullptr;
}

}  // namespace

MatMulOp::MatMulOp(const OrtApi& api, bool infers_shapes, int threads) : api_(&api), threads_(threads) {
  GetName = [](const OrtCustomOp*) { return kMatMul; };
  GetInputTypeCount = [](const OrtCustomOp*) -> std::size_t { return 2; };
  GetInputType = [](const OrtCustomOp*, std::size_t index) {
    return index == kX ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT : ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  };
  GetOutputTypeCount = [](const OrtCustomOp*) -> std::size_t { return 1; };
  GetOutputType = [](const OrtCustomOp*, std::size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; };
  CreateKernelV2 = create_kernel;
  KernelComputeV2 = run_kernel;
  KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  InferOutputShapeFn = infers_shapes ? infer_shape_of_node : nullptr;
}

}  // namespace vidrt::custom_ops
