#include "running/plugin_node.h"

#include <algorithm>

#include "tensorrt/plugins/conv_plugin_creator.h"
#include "tensorrt/plugins/plugin_fields.h"
#include "tensorrt/plugins/plugin_log.h"

namespace vidrt::trt::testing {
namespace {

using kernels::DepthwiseSeparableConv3dProblem;
using kernels::DepthwiseSeparableConv3dTensors;
using kernels::ElementType;
using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::PluginCapabilityType;
using nvinfer1::PluginTensorDesc;
using nvinfer1::TensorFormat;
using Bytes = std::vector<unsigned char>;

DataType data_type(ElementType type) {
  if (type == ElementType::kFloat32) return DataType::kFLOAT;
  return type == ElementType::kFloat16 ? DataType::kHALF : DataType::kBF16;
}

std::size_t element_bytes(const PluginTensorDesc& desc) { return desc.type == DataType::kFLOAT ? 4 : 2; }

std::size_t bytes_of(const PluginTensorDesc& desc) {
  std::size_t bytes = element_bytes(desc);
  for (std::int32_t i = 0; i < desc.dims.nbDims; ++i) bytes *= static_cast<std::size_t>(desc.dims.d[i]);
  return bytes;
}

Dims dims_of(std::initializer_list<std::int64_t> sizes) {
  Dims dims{};
  for (const std::int64_t size : sizes) dims.d[dims.nbDims++] = size;
  return dims;
}

Dims clip_dims(const kernels::ClipShape& shape, kernels::DataLayout layout) {
  const auto d = shape.dims(layout);
  return dims_of({d[0], d[1], d[2], d[3], d[4]});
}

// (N,C,positions) to (N,positions,C), or back.
Bytes turned(const PluginTensorDesc& desc, const unsigned char* from, bool to_channels_last) {
  Bytes result(bytes_of(desc));
  const std::size_t size = element_bytes(desc);
  const auto batch = static_cast<std::size_t>(desc.dims.d[0]);
  const auto channels = static_cast<std::size_t>(desc.dims.d[1]);
  const std::size_t positions = result.size() / size / channels / batch;
  for (std::size_t n = 0; n < batch; ++n) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t p = 0; p < positions; ++p) {
        const std::size_t first = ((n * channels + c) * positions + p) * size;
        const std::size_t last = ((n * positions + p) * channels + c) * size;
        std::copy_n(from + (to_channels_last ? first : last), size, result.data() + (to_channels_last ? last : first));
      }
    }
  }
  return result;
}

}  // namespace

PluginNode::PluginNode(const ConvSpec& spec, const DepthwiseSeparableConv3dProblem& problem,
                       const DepthwiseSeparableConv3dTensors& tensors)
    : type_(data_type(problem.depthwise.type)) {
  set_logger_finder(&log_);
  for (const ConvInput input : inputs_of(spec)) add_input(input, problem, tensors);
  const kernels::DataLayout layout = problem.depthwise.attributes.data_layout;
  const auto add_output = [&](const kernels::ClipShape& shape, void* to) {
    outputs_.push_back({{clip_dims(shape, layout), type_, TensorFormat::kLINEAR, 1.0f}, nullptr, to, true});
  };
  add_output(problem.y, tensors.depthwise.y);
  if (spec.has_cache_out) add_output(problem.depthwise.cache(), tensors.depthwise.cache_out);
  ConvPluginCreator creator(spec.op);
  const SerializedFields fields(spec);
  plugin_.reset(creator.createPlugin("node", &fields.collection(), nvinfer1::TensorRTPhase::kRUNTIME));
}

PluginNode::~PluginNode() { set_logger_finder(nullptr); }

void PluginNode::add_input(ConvInput input, const DepthwiseSeparableConv3dProblem& problem,
                           const DepthwiseSeparableConv3dTensors& tensors) {
  const auto& [x, weight, bias, residual, cache_in, y, cache_out] = tensors.depthwise;
  const kernels::DataLayout layout = problem.depthwise.attributes.data_layout;
  const auto& kernel = problem.depthwise.kernel;
  const std::int64_t channels = problem.depthwise.x.c;
  const auto add = [&](const Dims& dims, const void* from) {
    inputs_.push_back({{dims, type_, TensorFormat::kLINEAR, 1.0f}, from, nullptr, is_clip(input)});
  };
  switch (input) {
    case ConvInput::kX:
      return add(clip_dims(problem.depthwise.x, layout), x);
    case ConvInput::kWeight:
      return add(dims_of({channels, 1, kernel[0], kernel[1], kernel[2]}), weight);
    case ConvInput::kBias:
      return add(dims_of({channels}), bias);
    case ConvInput::kPointwise:
      return add(dims_of({problem.y.c, channels}), tensors.pointwise);
    case ConvInput::kPointwiseBias:
      return add(dims_of({problem.y.c}), tensors.pointwise_bias);
    case ConvInput::kResidual:
      return add(clip_dims(problem.y, layout), residual);
    case ConvInput::kCacheIn:
      return add(clip_dims(problem.depthwise.cache(), layout), cache_in);
  }
}

bool PluginNode::takes(TensorFormat format) {
  const auto descs = described(format);
  for (std::int32_t pos = 0; pos < inputs() + outputs(); ++pos) {
    if (!build().supportsFormatCombination(pos, descs.data(), inputs(), outputs())) return false;
  }
  return true;
}

std::size_t PluginNode::workspace_bytes(TensorFormat format) {
  const auto descs = described(format);
  return build().getWorkspaceSize(descs.data(), inputs(), descs.data() + inputs(), outputs());
}

std::int32_t PluginNode::run(TensorFormat format, cudaStream_t stream) {
  std::vector<PluginTensorDesc> descs;
  for (const auto& desc : described(format)) descs.push_back(desc.desc);
  const PluginTensorDesc* output_descs = descs.data() + inputs();
  const bool turn = format != TensorFormat::kLINEAR;
  // Copies of the exact size: a sanitizer sees what is read or written past them.
  std::vector<Bytes> from, to;
  for (const Tensor& tensor : inputs_) {
    const auto* bytes = static_cast<const unsigned char*>(tensor.from);
    from.push_back(turn && tensor.clip ? turned(tensor.desc, bytes, true)
                                       : Bytes(bytes, bytes + bytes_of(tensor.desc)));
  }
  for (const Tensor& tensor : outputs_) to.emplace_back(bytes_of(tensor.desc));
  std::vector<const void*> sources;
  std::vector<void*> targets;
  for (const Bytes& bytes : from) sources.push_back(bytes.data());
  for (Bytes& bytes : to) targets.push_back(bytes.data());
  Bytes workspace(workspace_bytes(format));

  std::int32_t status = runtime().onShapeChange(descs.data(), inputs(), output_descs, outputs());
  if (status != 0) return status;
  status = runtime().enqueue(descs.data(), output_descs, sources.data(), targets.data(), workspace.data(), stream);
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Bytes result = turn ? turned(outputs_[i].desc, to[i].data(), false) : to[i];
    std::copy(result.begin(), result.end(), static_cast<unsigned char*>(outputs_[i].to));
  }
  return status;
}

std::vector<DynamicPluginTensorDesc> PluginNode::described(TensorFormat format) const {
  std::vector<DynamicPluginTensorDesc> descs;
  for (const auto* tensors : {&inputs_, &outputs_}) {
    for (const Tensor& tensor : *tensors) {
      descs.push_back({tensor.desc, tensor.desc.dims, tensor.desc.dims, tensor.desc.dims});
      if (tensor.clip) descs.back().desc.format = format;
    }
  }
  return descs;
}

nvinfer1::IPluginV3OneBuild& PluginNode::build() {
  return *static_cast<nvinfer1::IPluginV3OneBuild*>(plugin_->getCapabilityInterface(PluginCapabilityType::kBUILD));
}

nvinfer1::IPluginV3OneRuntime& PluginNode::runtime() {
  return *static_cast<nvinfer1::IPluginV3OneRuntime*>(plugin_->getCapabilityInterface(PluginCapabilityType::kRUNTIME));
}

}  // namespace vidrt::trt::testing
