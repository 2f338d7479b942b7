#include "onnxruntime/conv_sum_op.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/conv_sum_cpu.h"
#include "onnxruntime/custom_ops/attributes.h"
#include "onnxruntime/custom_ops/kernel_views.h"
#include "onnxruntime/custom_ops/ort_call.h"
#include "onnxruntime/custom_ops/ort_shapes.h"
#include "onnxruntime/custom_ops/scratch.h"
#include "runtime/conv_sums.h"

namespace vidrt {
namespace {

using custom_ops::Argument;
using custom_ops::as_status;

constexpr std::int64_t kTaps = 9;  // of 3x3

kernels::ElementType element_type(DType dtype) {
  if (dtype == DType::kFloat32) return kernels::ElementType::kFloat32;
  return dtype == DType::kFloat16 ? kernels::ElementType::kFloat16 : kernels::ElementType::kBFloat16;
}

std::vector<std::int64_t> numbers_of(const ConvSumOp& op, const OrtKernelInfo* info, const char* attribute) {
  return custom_ops::KernelAttributes(op.api(), info).numbers(attribute).value_or(std::vector<std::int64_t>{});
}

// One frame of a kernel, which is all of it where that is over two axes.
struct Filter {
  const ConvSumOp::Kernel* kernel;
  std::int64_t frame;

  std::int64_t outputs() const { return kernel->weight.shape[0]; }
  std::int64_t channels() const { return kernel->weight.shape[1]; }
  std::int64_t step() const { return element_count(kernel->weight.shape) / (outputs() * channels()); }
  const void* data() const {
    return kernel->weight.data() + static_cast<std::size_t>(frame * kTaps) * dtype_bytes(kernel->weight.dtype);
  }
};

std::vector<Filter> filters_of(const ConvSumOp& op, const OrtKernelInfo* info) {
  const std::vector<std::int64_t> kernels = numbers_of(op, info, kKernelsAttribute);
  const std::vector<std::int64_t> frames = numbers_of(op, info, kFramesAttribute);
  std::vector<Filter> filters;
  for (std::size_t i = 0; i < kernels.size(); ++i) filters.push_back({&op.kernel(kernels[i]), frames.at(i)});
  return filters;
}

// A node of the graph.
struct Node {
  const ConvSumOp& op;
  std::string label;
  std::vector<Filter> filters;
  OrtHandle<OrtAllocator> allocator;

  void run(OrtKernelContext* context) const {
    custom_ops::KernelRun run(op.api(), context, op.threads());
    kernels::ConvSumProblem problem;
    kernels::ConvSumTensors tensors;
    std::vector<std::int64_t> dims;
    problem.weight_type = element_type(filters.front().kernel->weight.dtype);
    problem.outputs = filters.front().outputs();
    for (std::size_t i = 0; i < filters.size(); ++i) {
      const std::optional<Argument> x = run.input(i);
      check(i, x, dims);
      dims = x->dims;
      problem.channels.push_back(dims[1]);
      tensors.terms.push_back({static_cast<const float*>(x->data), filters[i].data(), dims[1], filters[i].step()});
    }
    problem.frames = dims[0];
    problem.height = dims[2];
    problem.width = dims[3];
    if (const std::optional<Argument> bias = run.input(filters.size())) {
      tensors.bias = static_cast<const float*>(bias->data);
    }
    dims[1] = problem.outputs;
    const custom_ops::Scratch scratch(allocator.get(), kernels::conv_sum_scratch_bytes(problem));
    tensors.y = static_cast<float*>(run.output(0, dims));
    tensors.scratch = scratch.data();
    kernels::conv_sum_cpu(problem, tensors, run.parallel());
    run.check_threads();
    for (const Filter& filter : filters) {
      if (filter.kernel->let_go) filter.kernel->weight.drop_pages();
    }
  }

  // An input, and the sizes that those before it have.
  void check(std::size_t index, const std::optional<Argument>& x, const std::vector<std::int64_t>& before) const {
    const std::int64_t channels = filters[index].channels();
    const bool fits =
        x && x->dims.size() == 4 && x->dims[1] == channels &&
        (before.empty() || (x->dims[0] == before[0] && x->dims[2] == before[2] && x->dims[3] == before[3]));
    if (fits) return;
    throw std::invalid_argument("input " + std::to_string(index) + ": got " +
                                (x ? custom_ops::shape_name(x->dims) : "nothing") + ", expected (N," +
                                std::to_string(channels) + ",H,W) as the inputs before it.");
  }
};

const ConvSumOp& self(const OrtCustomOp* op) { return *static_cast<const ConvSumOp*>(op); }

OrtStatus* ORT_API_CALL create_node(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* raw,
                                    void** node) noexcept {
  return as_status(*api, kConvSum, [&] {
    const custom_ops::KernelInfo info(*api, raw);
    *node = new Node{self(op), info.label(kConvSum), filters_of(self(op), raw), info.allocator()};
  });
}

OrtStatus* ORT_API_CALL run_node(void* raw, OrtKernelContext* context) noexcept {
  const Node& node = *static_cast<const Node*>(raw);
  return as_status(node.op.api(), node.label, [&] { node.run(context); });
}

// All kernels of a node have as many outputs as the first.
OrtStatus* ORT_API_CALL infer_shape_of_node(const OrtCustomOp* op, OrtShapeInferContext* context) noexcept {
  try {
    const OrtApi& api = self(op).api();
    const std::optional<std::vector<std::int64_t>> indices =
        custom_ops::ShapeAttributes(api, context).numbers(kKernelsAttribute);
    custom_ops::SymbolicShape y = custom_ops::read_input(api, context, 0).shape;
    if (y.size() != 4 || !indices || indices->empty()) return nullptr;
    y[1] = {self(op).kernel(indices->front()).weight.shape[0], ""};
    custom_ops::write_output(api, context, y, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  } catch (...) {  // no shape is known, which is no error
  }
  return nullptr;
}

}  // namespace

ConvSumOp::ConvSumOp(const OrtApi& api, std::vector<Kernel> kernels, int threads)
    : api_(api), kernels_(std::move(kernels)), threads_(threads) {
  GetName = [](const OrtCustomOp*) { return kConvSum; };
  GetInputTypeCount = GetOutputTypeCount = [](const OrtCustomOp*) { return std::size_t{1}; };
  GetInputType = GetOutputType = [](const OrtCustomOp*, std::size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; };
  GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_VARIADIC; };
  GetVariadicInputMinArity = [](const OrtCustomOp*) { return 1; };
  GetVariadicInputHomogeneity = [](const OrtCustomOp*) { return 1; };
  CreateKernelV2 = create_node;
  KernelComputeV2 = run_node;
  KernelDestroy = [](void* node) { delete static_cast<Node*>(node); };
  InferOutputShapeFn = infer_shape_of_node;
}

const ConvSumOp::Kernel& ConvSumOp::kernel(std::int64_t index) const {
  if (index < 0 || index >= static_cast<std::int64_t>(kernels_.size())) {
    throw std::invalid_argument("got kernel " + std::to_string(index) + " of " + std::to_string(kernels_.size()) + ".");
  }
  return kernels_[static_cast<std::size_t>(index)];
}

}  // namespace vidrt
