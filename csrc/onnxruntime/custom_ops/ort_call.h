// Between C++ and ONNX Runtime's C interface: statuses become exceptions, and no exception leaves a callback.
#pragma once

#include <onnxruntime_c_api.h>

#include <new>
#include <stdexcept>
#include <string>

namespace vidrt::custom_ops {

/// Throws std::runtime_error with ONNX Runtime's message when `status` is one.
inline void require(const OrtApi& api, OrtStatus* status) {
  if (status == nullptr) return;
  const std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  throw std::runtime_error(message);
}

/// Whether a call succeeded, where a failure is an answer as well.
inline bool succeeded(const OrtApi& api, OrtStatus* status) {
  if (status == nullptr) return true;
  api.ReleaseStatus(status);
  return false;
}

inline OrtStatus* make_status(const OrtApi& api, OrtErrorCode code, const std::string& where,
                              const char* message) noexcept {
  try {
    return api.CreateStatus(code, (where.empty() ? message : where + ": " + message).c_str());
  } catch (...) {  // no memory even for the message
    return api.CreateStatus(code, message);
  }
}

/// Run the body of a callback; what it throws becomes a status that begins with `where`, as the body left it.
template <typename Body>
OrtStatus* as_status(const OrtApi& api, const std::string& where, Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const std::invalid_argument& error) {
    return make_status(api, ORT_INVALID_ARGUMENT, where, error.what());
  } catch (const std::bad_alloc&) {
    return make_status(api, ORT_FAIL, where, "out of memory.");
  } catch (const std::exception& error) {
    return make_status(api, ORT_FAIL, where, error.what());
  } catch (...) {
    return make_status(api, ORT_FAIL, where, "failed for a reason that it does not name.");
  }
}

}  // namespace vidrt::custom_ops
