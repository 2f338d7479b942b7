#include "onnxruntime/custom_ops/conv_node.h"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>

#include "kernels/depthwise_separable_conv3d_cpu.h"
#include "onnxruntime/custom_ops/attributes.h"
#include "onnxruntime/custom_ops/packed_weights.h"

namespace vidrt::custom_ops {
namespace {

using kernels::DepthwiseConv3dProblem;
using kernels::DepthwiseConv3dTensors;
using kernels::ElementType;
using kernels::PackedDepthwise;
using kernels::PackedPointwise;

bool is_constant(const std::optional<Argument>& argument) { return argument && argument->data != nullptr; }

// Absent or constant.
bool never_changes(const std::optional<Argument>& argument) { return !argument || is_constant(argument); }

PackedDepthwise pack_filters(ElementType type, const Arguments& arguments) {
  const std::vector<std::int64_t>& dims = arguments[Role::kWeight]->dims;
  return kernels::pack_depthwise({dims[2], dims[3], dims[4]}, dims[0], type, arguments.data(Role::kWeight),
                                 arguments.data(Role::kBias));
}

PackedPointwise pack_rows(kernels::DataLayout layout, ElementType type, const Arguments& arguments) {
  const std::vector<std::int64_t>& dims = arguments[Role::kPointwise]->dims;
  return kernels::pack_pointwise(layout, dims[0], dims[1], type, arguments.data(Role::kPointwise),
                                 arguments.data(Role::kPointwiseBias));
}

// What stays the same in all runs, packed once; null where a run has to do it.
struct ConstantWeights {
  std::shared_ptr<const PackedDepthwise> depthwise;
  std::shared_ptr<const PackedPointwise> pointwise;
};

// After check_what_is_known, which checks no weights where it does not know W's sizes.
ConstantWeights pack_constants(kernels::DataLayout layout, const Arguments& arguments) {
  ConstantWeights packed;
  if (!arguments[Role::kWeight]->has_dims()) return packed;
  const ElementType type = element_type(arguments);
  if (is_constant(arguments[Role::kWeight]) && never_changes(arguments[Role::kBias])) {
    packed.depthwise = share(pack_filters(type, arguments));
  }
  if (is_constant(arguments[Role::kPointwise]) && never_changes(arguments[Role::kPointwiseBias])) {
    packed.pointwise = share(pack_rows(layout, type, arguments));
  }
  return packed;
}

// Memory of a tensor of a problem.
struct Block {
  const char* name;
  const void* data;
  std::int64_t bytes;

  bool overlaps(const Block& other) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const auto other_begin = reinterpret_cast<std::uintptr_t>(other.data);
    return data != nullptr && other.data != nullptr && begin < other_begin + static_cast<std::uintptr_t>(other.bytes) &&
           other_begin < begin + static_cast<std::uintptr_t>(bytes);
  }
};

// ONNX Runtime keeps tensors apart, but an I/O binding may lay two over each other.
void check_apart(const DepthwiseConv3dProblem& problem, const kernels::ClipShape& y,
                 const DepthwiseConv3dTensors& tensors) {
  const auto bytes = [&](const kernels::ClipShape& shape) {
    return shape.elements() * static_cast<std::int64_t>(kernels::size_of(problem.type));
  };
  const Block inputs[] = {{"X", tensors.x, bytes(problem.x)},
                          {"residual", tensors.residual, bytes(y)},
                          {"cache_in", tensors.cache_in, bytes(problem.cache())}};
  const Block result{"Y", tensors.y, bytes(y)};
  const Block cache{"cache_out", tensors.cache_out, bytes(problem.cache())};
  const auto refuse = [](const Block& a, const Block& b) {
    throw std::invalid_argument(std::string(a.name) + ": got memory that overlaps " + b.name + "'s, expected its own.");
  };
  if (cache.overlaps(result)) refuse(cache, result);
  for (const Block& input : inputs) {
    if (result.overlaps(input)) refuse(result, input);
    if (cache.overlaps(input)) refuse(cache, input);
  }
}

// All but the weights, which are packed.
DepthwiseConv3dTensors bind(const NodeFacts& node, const DepthwiseConv3dProblem& problem, const kernels::ClipShape& y,
                            const Arguments& arguments, const KernelRun& run) {
  DepthwiseConv3dTensors tensors;
  tensors.x = arguments.data(Role::kX);
  tensors.residual = arguments.data(Role::kResidual);
  tensors.cache_in = arguments.data(Role::kCacheIn);
  const kernels::DataLayout layout = node.attributes.data_layout;
  tensors.y = run.output(0, y.dims(layout));
  if (node.wants_cache_out) tensors.cache_out = run.output(kCacheOut, problem.cache().dims(layout));
  check_apart(problem, y, tensors);
  return tensors;
}

class DepthwiseNode : public ConvNode {
 public:
  DepthwiseNode(const Signature& signature, const NodeFacts& facts, std::string label, ConstantWeights constants)
      : ConvNode(signature, facts, std::move(label)), constants_(std::move(constants)) {}

 private:
  void compute(const Arguments& arguments, KernelRun& run) const override {
    const ElementType type = element_type(arguments);
    const DepthwiseConv3dProblem problem =
        kernels::make_depthwise_conv3d_problem(facts().attributes, type, depthwise_inputs(facts(), arguments));
    std::optional<PackedDepthwise> packed;
    if (constants_.depthwise == nullptr) packed = pack_filters(type, arguments);
    const DepthwiseConv3dTensors tensors = bind(facts(), problem, problem.y, arguments, run);
    kernels::depthwise_conv3d_cpu(problem, packed ? *packed : *constants_.depthwise, tensors, run.parallel());
  }

  ConstantWeights constants_;
};

class SeparableNode : public ConvNode {
 public:
  SeparableNode(const Signature& signature, const NodeFacts& facts, std::string label, ConstantWeights constants)
      : ConvNode(signature, facts, std::move(label)), constants_(std::move(constants)) {}

 private:
  void compute(const Arguments& arguments, KernelRun& run) const override {
    const ElementType type = element_type(arguments);
    const kernels::DepthwiseSeparableConv3dProblem problem = kernels::make_depthwise_separable_conv3d_problem(
        facts().attributes, facts().output_activation, type, separable_inputs(facts(), arguments));
    std::optional<PackedDepthwise> filters;
    if (constants_.depthwise == nullptr) filters = pack_filters(type, arguments);
    std::optional<PackedPointwise> rows;
    if (constants_.pointwise == nullptr) rows = pack_rows(facts().attributes.data_layout, type, arguments);
    kernels::DepthwiseSeparableConv3dTensors tensors;
    tensors.depthwise = bind(facts(), problem.depthwise, problem.y, arguments, run);
    kernels::depthwise_separable_conv3d_cpu(problem, filters ? *filters : *constants_.depthwise,
                                            rows ? *rows : *constants_.pointwise, tensors, run.parallel());
  }

  ConstantWeights constants_;
};

}  // namespace

std::unique_ptr<ConvNode> ConvNode::make(const Signature& signature, std::string label, const OrtApi& api,
                                         const OrtKernelInfo* raw) {
  const KernelInfo info(api, raw);
  const KernelAttributes attributes(api, raw);
  NodeFacts facts;
  facts.attributes = read_attributes(attributes);
  facts.separable = signature.separable;
  if (signature.separable) facts.output_activation = read_output_activation(attributes);
  facts.wants_cache_out = info.has_output(kCacheOut);
  const Arguments arguments = info.arguments(signature);
  check_present(signature, arguments);
  check_what_is_known(facts, arguments);
  ConstantWeights constants = pack_constants(facts.attributes.data_layout, arguments);
  if (signature.separable) {
    return std::make_unique<SeparableNode>(signature, facts, std::move(label), std::move(constants));
  }
  return std::make_unique<DepthwiseNode>(signature, facts, std::move(label), std::move(constants));
}

void ConvNode::run(KernelRun& run) const {
  const Arguments arguments = run.arguments(signature_);
  check_present(signature_, arguments);
  compute(arguments, run);
  run.check_threads();
}

}  // namespace vidrt::custom_ops
