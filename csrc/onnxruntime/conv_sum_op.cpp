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

// The convolutions of a run: of clips one after another, or of all frames at once.
struct Work {
  kernels::ConvSumProblem problem;
  kernels::ConvSumTensors tensors;  // of the first clip
  std::vector<std::int64_t> y_dims;
  std::int64_t clips = 1;
  std::int64_t x_step = 0, y_step = 0;  // from a clip to the next
};

// A node of the graph.
struct Node {
  const ConvSumOp& op;
  std::string label;
  std::vector<Filter> filters;
  OrtHandle<OrtAllocator> allocator;

  void run(OrtKernelContext* context) const {
    custom_ops::KernelRun run(op.api(), context, op.threads());
    const std::optional<Argument> first = run.input(0);
    const bool is_clip = first && first->dims.size() == 5;
    Work work = is_clip ? of_clip(*first) : of_frames(run);
    if (const std::optional<Argument> bias = run.input(is_clip ? 1 : filters.size())) {
      work.tensors.bias = static_cast<const float*>(bias->data);
    }
    const custom_ops::Scratch scratch(allocator.get(), kernels::conv_sum_scratch_bytes(work.problem));
    work.tensors.scratch = scratch.data();
    work.tensors.y = static_cast<float*>(run.output(0, work.y_dims));
    for (std::int64_t clip = 0; clip < work.clips; ++clip) {
      kernels::conv_sum_cpu(work.problem, work.tensors, run.parallel());
      for (kernels::ConvSumTerm& term : work.tensors.terms) term.x += work.x_step;
      work.tensors.y += work.y_step;
    }
    run.check_threads();
    for (const Filter& filter : filters) {
      if (filter.kernel->let_go) filter.kernel->weight.drop_pages();
    }
  }

  Work begin() const {
    Work work;
    work.problem.weight_type = element_type(filters.front().kernel->weight.dtype);
    work.problem.outputs = filters.front().outputs();
    for (const Filter& filter : filters) {
      work.problem.channels.push_back(filter.channels());
      kernels::ConvSumTerm term;
      term.weight = filter.data();
      term.weight_step = filter.step();
      term.channels = filter.channels();
      work.tensors.terms.push_back(term);
    }
    return work;
  }

  Work of_frames(const custom_ops::KernelRun& run) const {
    Work work = begin();
    std::vector<std::int64_t>& dims = work.y_dims;
    std::int64_t plane = 0;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      const std::optional<Argument> x = run.input(i);
      check_frames(i, x, dims);
      dims = x->dims;
      plane = dims[2] * dims[3];
      work.tensors.terms[i].x = static_cast<const float*>(x->data);
      work.tensors.terms[i].x_steps = {dims[1] * plane, plane};
    }
    work.problem.frames = dims[0];
    work.problem.height = dims[2];
    work.problem.width = dims[3];
    dims[1] = work.problem.outputs;
    work.tensors.y_steps = {dims[1] * plane, plane};
    return work;
  }

  // A result is the sum over as many frames as there are filters, and for each of them the clip begins a frame later.
  Work of_clip(const Argument& x) const {
    Work work = begin();
    const auto filter_frames = static_cast<std::int64_t>(filters.size());
    const std::int64_t frames = x.dims[2] - filter_frames + 1;
    if (x.dims[1] != filters.front().channels() || frames < 0) {
      throw std::invalid_argument("got " + custom_ops::shape_name(x.dims) + ", expected (N," +
                                  std::to_string(filters.front().channels()) + ",T,H,W) with T of " +
                                  std::to_string(filter_frames - 1) + " or more.");
    }
    const std::int64_t plane = x.dims[3] * x.dims[4];
    for (std::int64_t i = 0; i < filter_frames; ++i) {
      kernels::ConvSumTerm& term = work.tensors.terms[static_cast<std::size_t>(i)];
      term.x = static_cast<const float*>(x.data) + i * plane;
      term.x_steps = {plane, x.dims[2] * plane};
    }
    work.problem.frames = frames;
    work.problem.height = x.dims[3];
    work.problem.width = x.dims[4];
    work.y_dims = {x.dims[0], work.problem.outputs, frames, x.dims[3], x.dims[4]};
    work.tensors.y_steps = {plane, frames * plane};
    work.clips = x.dims[0];
    work.x_step = x.dims[1] * x.dims[2] * plane;
    work.y_step = work.problem.outputs * frames * plane;
    return work;
  }

  // An input, and the sizes that those before it have.
  void check_frames(std::size_t index, const std::optional<Argument>& x,
                    const std::vector<std::int64_t>& before) const {
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
    if ((y.size() != 4 && y.size() != 5) || !indices || indices->empty()) return nullptr;
    y[1] = {self(op).kernel(indices->front()).weight.shape[0], ""};
    const auto lost = static_cast<std::int64_t>(indices->size()) - 1;  // frames of a clip
    if (y.size() == 5 && lost != 0) {
      if (y[2].is_number()) {
        y[2].value -= lost;
      } else if (y[2].is_known()) {
        y[2].symbol = "(" + y[2].symbol + ") - " + std::to_string(lost);
      }
    }
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
