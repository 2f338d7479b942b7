// Makes convolution plugins, from the attributes of a node or from what an engine kept of them.
#pragma once

#include <NvInferRuntime.h>

#include <string>
#include <vector>

#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt {

class ConvPluginCreator final : public nvinfer1::IPluginCreatorV3One {
 public:
  explicit ConvPluginCreator(ConvOperator op);

  /// Null, with an error in the log, when the fields are refused.
  nvinfer1::IPluginV3* createPlugin(const char* name, const nvinfer1::PluginFieldCollection* fields,
                                    nvinfer1::TensorRTPhase phase) noexcept override;
  const nvinfer1::PluginFieldCollection* getFieldNames() noexcept override;
  const char* getPluginName() const noexcept override;
  const char* getPluginVersion() const noexcept override;
  const char* getPluginNamespace() const noexcept override;

 private:
  ConvOperator op_;
  std::string who_;  // how messages begin
  std::vector<nvinfer1::PluginField> names_;
  nvinfer1::PluginFieldCollection collection_{};
};

}  // namespace vidrt::trt
