// What TensorRT says: errors become part of ours, warnings are handed on.
#pragma once

#include <NvInferRuntime.h>

#include <mutex>
#include <string>
#include <vector>

namespace vidrt::trt {

/// TensorRT may speak from several threads, and keeps the first logger that it was ever given: there is one for the
/// process. VIDRT_TENSORRT_LOG=info or verbose also writes what else it says to standard error.
class TrtLog : public nvinfer1::ILogger {
 public:
  static TrtLog& instance();

  void log(Severity severity, const char* message) noexcept override;

  /// What failed since the last call, as the end of an error of ours: ": MESSAGE", or ".".
  std::string take_errors();
  std::vector<std::string> take_warnings();

 private:
  TrtLog();

  std::mutex mutex_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
  Severity shown_ = Severity::kINTERNAL_ERROR;  // up to this severity goes to standard error, errors and warnings aside
};

}  // namespace vidrt::trt
