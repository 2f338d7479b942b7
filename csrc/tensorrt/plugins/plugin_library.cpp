// The two functions that TensorRT looks for in a plugin library.
#include <NvInferRuntime.h>

#include "tensorrt/plugins/conv_plugin_creator.h"
#include "tensorrt/plugins/plugin_log.h"

#define VIDRT_TRT_EXPORT extern "C" __attribute__((visibility("default")))

VIDRT_TRT_EXPORT void setLoggerFinder(nvinfer1::ILoggerFinder* finder) { vidrt::trt::set_logger_finder(finder); }

VIDRT_TRT_EXPORT nvinfer1::IPluginCreatorInterface* const* getCreators(std::int32_t& count) {
  using vidrt::trt::ConvOperator;
  static vidrt::trt::ConvPluginCreator depthwise(ConvOperator::kDepthwise);
  static vidrt::trt::ConvPluginCreator separable(ConvOperator::kDepthwiseSeparable);
  static nvinfer1::IPluginCreatorInterface* const creators[] = {&depthwise, &separable};
  count = 2;
  return creators;
}
