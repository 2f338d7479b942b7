// ONNX Runtime's shared library, opened when first needed. Built against API 21 and asked for 21.
#pragma once

#include <onnxruntime_c_api.h>

#include <string>

namespace vidrt {

/// Look for libonnxruntime in this folder as well (a Python interpreter's wheel). Has no effect once it is open.
void add_onnxruntime_search_path(const std::string& folder);

struct OrtLibrary {
  const OrtApi* api = nullptr;
  std::string version;  // "1.32.0"
  std::string path;     // the file that was opened
};

/// The library, opened once for the process and never closed. Searched in this order: the file VIDRT_ONNXRUNTIME names
/// (and no other, where it is set), a copy already in the process, the added folders, beside this library, the loader's
/// path. Throws BackendError that lists all that was tried; the next call tries again.
const OrtLibrary& ort_library();

/// Throws BackendError with ONNX Runtime's message when `status` is one, OutOfMemory where it says that memory was
/// refused; `what` says what was being done.
void check_ort(const OrtApi& api, OrtStatus* status, const std::string& what);

}  // namespace vidrt
