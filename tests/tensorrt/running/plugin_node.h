// A node of a network in place of TensorRT: it makes the plugin from fields and runs it on the host's memory.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/depthwise_separable_conv3d.h"
#include "support/collecting_log.h"
#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt::testing {

/// Clips are given and taken in the order of the data layout; they are turned to that of the format and back.
class PluginNode {
 public:
  PluginNode(const ConvSpec& spec, const kernels::DepthwiseSeparableConv3dProblem& problem,
             const kernels::DepthwiseSeparableConv3dTensors& tensors);
  ~PluginNode();
  PluginNode(const PluginNode&) = delete;
  PluginNode& operator=(const PluginNode&) = delete;

  /// Whether the plugin takes all its tensors with clips in that format.
  bool takes(nvinfer1::TensorFormat format);

  std::size_t workspace_bytes(nvinfer1::TensorFormat format);

  /// Returns what the plugin does: 0, or its error.
  std::int32_t run(nvinfer1::TensorFormat format, cudaStream_t stream = nullptr);

  /// What the plugin wrote to the log.
  const std::vector<std::string>& errors() const { return log_.errors; }

 private:
  struct Tensor {
    nvinfer1::PluginTensorDesc desc;
    const void* from;  // an input's bytes
    void* to;          // an output's place
    bool clip;
  };

  void add_input(ConvInput input, const kernels::DepthwiseSeparableConv3dProblem& problem,
                 const kernels::DepthwiseSeparableConv3dTensors& tensors);
  std::vector<nvinfer1::DynamicPluginTensorDesc> described(nvinfer1::TensorFormat format) const;
  std::int32_t inputs() const { return static_cast<std::int32_t>(inputs_.size()); }
  std::int32_t outputs() const { return static_cast<std::int32_t>(outputs_.size()); }
  nvinfer1::IPluginV3OneBuild& build();
  nvinfer1::IPluginV3OneRuntime& runtime();

  CollectingLog log_;
  nvinfer1::DataType type_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::unique_ptr<nvinfer1::IPluginV3> plugin_;
};

}  // namespace vidrt::trt::testing
