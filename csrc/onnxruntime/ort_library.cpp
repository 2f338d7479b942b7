#include "onnxruntime/ort_library.h"

#include <dlfcn.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "onnxruntime/ort_api_version.h"
#include "runtime/library_search.h"
#include "runtime/own_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

SearchFolders& search_folders() {
  static SearchFolders folders;
  return folders;
}

FoundLibrary search(OrtLibrary* library) {
  LibraryPlaces places;
  places.variable = "VIDRT_ONNXRUNTIME";
  places.prefix = "libonnxruntime.so";
  places.folders = search_folders().all();
  places.folders.push_back(own_folder());
  places.names = {"libonnxruntime.so.1", "libonnxruntime.so"};
  return find_library(places, [&](void* handle, const std::string& path) -> std::string {
    using GetApiBase = const OrtApiBase* (*)();
    const auto get_base = reinterpret_cast<GetApiBase>(dlsym(handle, "OrtGetApiBase"));
    if (get_base == nullptr) return "is not ONNX Runtime (no OrtGetApiBase)";
    *library = {get_base()->GetApi(kOrtApiVersion), get_base()->GetVersionString(), path};
    if (library->api != nullptr) return "";
    return "is version " + library->version + ", 1." + std::to_string(kOrtApiVersion) + " or later is needed";
  });
}

// There is no code for it: these are the words of ONNX Runtime's arenas, of C++ and of CUDA.
bool is_out_of_memory(const std::string& message) {
  for (const char* words : {"Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory"}) {
    if (message.find(words) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void add_onnxruntime_search_path(const std::string& folder) { search_folders().add(folder); }

const OrtLibrary& ort_library() {
  static std::unique_ptr<const OrtLibrary> library;
  const std::lock_guard<std::mutex> lock(library_mutex());
  if (library == nullptr) {
    OrtLibrary opened;
    const FoundLibrary found = search(&opened);
    if (found.handle == nullptr) {
      throw BackendError(
          "ONNX Runtime was not found; install it (pip install \"vidrt[cpu]\"), or set VIDRT_ONNXRUNTIME "
          "to its shared library. Tried:" +
          found.tried);
    }
    library = std::make_unique<const OrtLibrary>(std::move(opened));
  }
  return *library;
}

void check_ort(const OrtApi& api, OrtStatus* status, const std::string& what) {
  if (status == nullptr) return;
  const std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  const std::string failed = what + " failed in ONNX Runtime: " + message;
  if (is_out_of_memory(message)) throw OutOfMemory(failed);
  throw BackendError(failed);
}

}  // namespace vidrt
