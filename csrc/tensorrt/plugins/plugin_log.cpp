#include "tensorrt/plugins/plugin_log.h"

#include <atomic>
#include <cstdio>

namespace vidrt::trt {
namespace {

std::atomic<nvinfer1::ILoggerFinder*> logger_finder{nullptr};

}  // namespace

void set_logger_finder(nvinfer1::ILoggerFinder* finder) noexcept { logger_finder = finder; }

void log_error(const std::string& who, const char* what) noexcept {
  try {
    nvinfer1::ILoggerFinder* finder = logger_finder;
    nvinfer1::ILogger* logger = finder == nullptr ? nullptr : finder->findLogger();
    if (logger != nullptr) {
      logger->log(nvinfer1::ILogger::Severity::kERROR, (who + ": " + what).c_str());
      return;
    }
  } catch (...) {  // no memory for the message, or no log after all: standard error needs neither
  }
  std::fprintf(stderr, "%s: %s\n", who.c_str(), what);
}

}  // namespace vidrt::trt
