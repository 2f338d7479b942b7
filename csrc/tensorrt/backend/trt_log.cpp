#include "tensorrt/backend/trt_log.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace vidrt::trt {
namespace {

constexpr std::size_t kMostKept = 16;  // messages; the first say most

}  // namespace

TrtLog& TrtLog::instance() {
  // Never destroyed: TensorRT speaks even while the process ends.
  static TrtLog& log = *new TrtLog;
  return log;
}

TrtLog::TrtLog() {
  const char* wish = std::getenv("VIDRT_TENSORRT_LOG");
  const std::string level = wish == nullptr ? "" : wish;
  if (level == "info") shown_ = Severity::kINFO;
  if (level == "verbose") shown_ = Severity::kVERBOSE;
}

void TrtLog::log(Severity severity, const char* message) noexcept {
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (severity > Severity::kWARNING) {
      if (severity <= shown_) std::fprintf(stderr, "TensorRT: %s\n", message);
      return;
    }
    std::vector<std::string>& kept = severity == Severity::kWARNING ? warnings_ : errors_;
    const bool is_new = std::find(kept.begin(), kept.end(), message) == kept.end();
    if (is_new && kept.size() < kMostKept) kept.emplace_back(message);
  } catch (...) {
    // Out of memory, within TensorRT: the message is lost, and the process goes on.
  }
}

std::string TrtLog::take_errors() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string text;
  for (const std::string& error : errors_) text += (text.empty() ? ": " : "; ") + error;
  errors_.clear();
  return text.empty() ? "." : text;
}

std::vector<std::string> TrtLog::take_warnings() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(warnings_, {});
}

}  // namespace vidrt::trt
