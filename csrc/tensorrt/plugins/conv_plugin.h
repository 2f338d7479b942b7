// The TensorRT plugin of both convolution operators.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>

#include "tensorrt/plugins/conv_spec.h"
#include "tensorrt/plugins/plugin_fields.h"

namespace vidrt::trt {

/// One node of a network. Inputs and outputs never share memory: cache_in and cache_out are two banks. It holds nothing
/// of a device, so a clone is as good as the original in any context. Errors are logged and returned as a status.
class ConvPlugin final : public nvinfer1::IPluginV3,
                         public nvinfer1::IPluginV3OneCore,
                         public nvinfer1::IPluginV3OneBuild,
                         public nvinfer1::IPluginV3OneRuntime {
 public:
  /// `layer` is the node's name, for messages.
  ConvPlugin(ConvSpec spec, std::string layer);

  // IPluginV3
  nvinfer1::IPluginCapability* getCapabilityInterface(nvinfer1::PluginCapabilityType type) noexcept override;
  nvinfer1::IPluginV3* clone() noexcept override;

  // IPluginV3OneCore
  const char* getPluginName() const noexcept override;
  const char* getPluginVersion() const noexcept override;
  const char* getPluginNamespace() const noexcept override;

  // IPluginV3OneBuild
  std::int32_t configurePlugin(const nvinfer1::DynamicPluginTensorDesc* in, std::int32_t nb_inputs,
                               const nvinfer1::DynamicPluginTensorDesc* out, std::int32_t nb_outputs) noexcept override;
  std::int32_t getOutputDataTypes(nvinfer1::DataType* output_types, std::int32_t nb_outputs,
                                  const nvinfer1::DataType* input_types,
                                  std::int32_t nb_inputs) const noexcept override;
  std::int32_t getOutputShapes(const nvinfer1::DimsExprs* inputs, std::int32_t nb_inputs,
                               const nvinfer1::DimsExprs* shape_inputs, std::int32_t nb_shape_inputs,
                               nvinfer1::DimsExprs* outputs, std::int32_t nb_outputs,
                               nvinfer1::IExprBuilder& builder) noexcept override;
  bool supportsFormatCombination(std::int32_t pos, const nvinfer1::DynamicPluginTensorDesc* in_out,
                                 std::int32_t nb_inputs, std::int32_t nb_outputs) noexcept override;
  std::int32_t getNbOutputs() const noexcept override;
  std::size_t getWorkspaceSize(const nvinfer1::DynamicPluginTensorDesc* inputs, std::int32_t nb_inputs,
                               const nvinfer1::DynamicPluginTensorDesc* outputs,
                               std::int32_t nb_outputs) const noexcept override;
  const char* getTimingCacheID() noexcept override;
  const char* getMetadataString() noexcept override;

  // IPluginV3OneRuntime
  std::int32_t onShapeChange(const nvinfer1::PluginTensorDesc* in, std::int32_t nb_inputs,
                             const nvinfer1::PluginTensorDesc* out, std::int32_t nb_outputs) noexcept override;
  std::int32_t enqueue(const nvinfer1::PluginTensorDesc* input_descs, const nvinfer1::PluginTensorDesc* output_descs,
                       const void* const* inputs, void* const* outputs, void* workspace,
                       cudaStream_t stream) noexcept override;
  nvinfer1::IPluginV3* attachToContext(nvinfer1::IPluginResourceContext* context) noexcept override;
  const nvinfer1::PluginFieldCollection* getFieldsToSerialize() noexcept override;

 private:
  void check_counts(std::int32_t inputs, std::int32_t outputs) const;

  ConvSpec spec_;
  std::string layer_;
  std::string who_;  // how messages begin
  SerializedFields fields_;
  std::string metadata_;
  std::string timing_cache_id_;
};

}  // namespace vidrt::trt
