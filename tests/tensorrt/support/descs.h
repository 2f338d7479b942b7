// Tensors as TensorRT describes them to a plugin.
#pragma once

#include <NvInferRuntime.h>

#include <initializer_list>

namespace vidrt::trt::testing {

struct Tensor {
  std::initializer_list<std::int64_t> sizes;
  nvinfer1::DataType type = nvinfer1::DataType::kFLOAT;
  nvinfer1::TensorFormat format = nvinfer1::TensorFormat::kLINEAR;

  nvinfer1::PluginTensorDesc desc() const {
    nvinfer1::PluginTensorDesc desc{};
    for (const std::int64_t size : sizes) desc.dims.d[desc.dims.nbDims++] = size;
    desc.type = type;
    desc.format = format;
    return desc;
  }
};

}  // namespace vidrt::trt::testing
