// TensorRT calls plugins through functions that must not throw: errors go to its log and come back as a status.
#pragma once

#include <NvInferRuntime.h>

#include <exception>
#include <string>

namespace vidrt::trt {

/// Where the log is to be found; TensorRT gives it when it loads the library. Null: none.
void set_logger_finder(nvinfer1::ILoggerFinder* finder) noexcept;

/// Write the error "WHO: WHAT" to TensorRT's log, or to standard error where the library was not told of one.
void log_error(const std::string& who, const char* what) noexcept;

/// Run `call`; what it throws is logged as "WHO: MESSAGE". Returns 0, or -1 when it threw.
template <typename Call>
std::int32_t logged(const std::string& who, Call&& call) noexcept {
  try {
    call();
    return 0;
  } catch (const std::exception& error) {
    log_error(who, error.what());
  } catch (...) {
    log_error(who, "an unknown exception.");
  }
  return -1;
}

}  // namespace vidrt::trt
