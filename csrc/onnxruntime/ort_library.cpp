#include "onnxruntime/ort_library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "onnxruntime/ort_api_version.h"
#include "runtime/own_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "libonnxruntime.so";

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::vector<std::string>& search_paths() {
  static std::vector<std::string> paths;
  return paths;
}

bool is_library(const fs::path& path) {
  return path.filename().string().rfind(kPrefix, 0) == 0;
}

// The library's file in a folder: a wheel has libonnxruntime.so.1.x.y alone, an SDK links to it as well.
std::optional<std::string> library_in(const fs::path& folder) {
  std::error_code ignored;
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (is_library(entry.path())) found.push_back(entry.path().string());
  }
  if (found.empty()) return std::nullopt;
  return *std::min_element(found.begin(), found.end());
}

int note_loaded(dl_phdr_info* info, std::size_t, void* result) {
  if (info->dlpi_name == nullptr || !is_library(info->dlpi_name)) return 0;
  *static_cast<std::string*>(result) = info->dlpi_name;
  return 1;
}

class Search {
 public:
  std::optional<OrtLibrary> run() {
    if (const char* chosen = std::getenv("VIDRT_ONNXRUNTIME"); chosen != nullptr && *chosen != '\0') {
      return open(chosen, "VIDRT_ONNXRUNTIME");
    }
    std::string loaded;
    if (dl_iterate_phdr(note_loaded, &loaded) != 0) {
      if (auto library = open(loaded, "already in the process")) return library;
    }
    std::vector<std::string> folders = search_paths();
    folders.push_back(own_folder());
    for (const std::string& folder : folders) {
      if (folder.empty()) continue;
      const std::optional<std::string> file = library_in(folder);
      if (!file) {
        tried_ += "\n  " + folder + ": no " + kPrefix + "*";
      } else if (auto library = open(*file, "")) {
        return library;
      }
    }
    for (const char* name : {"libonnxruntime.so.1", "libonnxruntime.so"}) {
      if (auto library = open(name, "the loader's path")) return library;
    }
    return std::nullopt;
  }

  const std::string& tried() const { return tried_; }

 private:
  std::optional<OrtLibrary> open(const std::string& file, const std::string& origin) {
    const std::string label = "\n  " + file + (origin.empty() ? "" : " (" + origin + ")") + ": ";
    void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* reason = dlerror();
      tried_ += label + (reason != nullptr ? reason : "cannot be opened");
      return std::nullopt;
    }
    using GetApiBase = const OrtApiBase* (*)();
    const auto get_base = reinterpret_cast<GetApiBase>(dlsym(handle, "OrtGetApiBase"));
    if (get_base == nullptr) {
      tried_ += label + "is not ONNX Runtime (no OrtGetApiBase)";
      dlclose(handle);
      return std::nullopt;
    }
    const OrtApi* api = get_base()->GetApi(kOrtApiVersion);
    const std::string version = get_base()->GetVersionString();
    if (api == nullptr) {
      tried_ += label + "is version " + version + ", 1." + std::to_string(kOrtApiVersion) + " or later is needed";
      dlclose(handle);
      return std::nullopt;
    }
    return OrtLibrary{api, version, file};
  }

  std::string tried_;
};

}  // namespace

void add_onnxruntime_search_path(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(library_mutex());
  std::vector<std::string>& paths = search_paths();
  if (std::find(paths.begin(), paths.end(), folder) == paths.end()) paths.push_back(folder);
}

const OrtLibrary& ort_library() {
  static std::unique_ptr<const OrtLibrary> library;
  const std::lock_guard<std::mutex> lock(library_mutex());
  if (library == nullptr) {
    Search search;
    std::optional<OrtLibrary> found = search.run();
    if (!found) {
      throw BackendError("ONNX Runtime was not found; install it (pip install \"vidrt[cpu]\"), or set VIDRT_ONNXRUNTIME "
                         "to its shared library. Tried:" + search.tried());
    }
    library = std::make_unique<const OrtLibrary>(std::move(*found));
  }
  return *library;
}

void check_ort(const OrtApi& api, OrtStatus* status, const std::string& what) {
  if (status == nullptr) return;
  const std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  throw BackendError(what + " failed in ONNX Runtime: " + message);
}

}  // namespace vidrt
