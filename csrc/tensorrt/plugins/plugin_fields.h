// Plugin fields: how the attributes of a node reach the plugin, and how an engine keeps them.
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <string>
#include <vector>

#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt {

/// The fields that the operator has, without values: what a creator tells the ONNX parser to look for.
std::vector<nvinfer1::PluginField> field_names(ConvOperator op);

/// Read the fields; those not given keep their defaults. Numbers are int32, words are characters with or without a
/// zero at the end. Throws std::invalid_argument for a field that is unknown, given twice, of another type or length,
/// or whose value is not one of its values.
ConvSpec read_fields(ConvOperator op, const nvinfer1::PluginFieldCollection& fields);

/// "strides=1,1,1 ... has_cache_out=0": every field with its value, in the order of field_names.
std::string describe(const ConvSpec& spec);

/// The fields of a spec with their values, from which read_fields makes the same spec. Holds what the fields point to.
class SerializedFields {
 public:
  explicit SerializedFields(const ConvSpec& spec);
  SerializedFields(const SerializedFields&) = delete;
  SerializedFields& operator=(const SerializedFields&) = delete;

  const nvinfer1::PluginFieldCollection& collection() const { return collection_; }

 private:
  std::vector<std::vector<std::int32_t>> numbers_;
  std::vector<std::string> words_;
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection collection_{};
};

}  // namespace vidrt::trt
