// TensorRT's log as a list of messages.
#pragma once

#include <NvInferRuntime.h>

#include <string>
#include <vector>

namespace vidrt::trt::testing {

class CollectingLog final : public nvinfer1::ILogger, public nvinfer1::ILoggerFinder {
 public:
  std::vector<std::string> errors;

  void log(Severity severity, const char* message) noexcept override {
    if (severity <= Severity::kERROR) errors.emplace_back(message);
  }
  nvinfer1::ILogger* findLogger() override { return this; }
};

}  // namespace vidrt::trt::testing
