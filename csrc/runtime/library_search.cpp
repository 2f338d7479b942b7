#include "runtime/library_search.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace vidrt {
namespace {

namespace fs = std::filesystem;

bool has_prefix(const fs::path& path, const std::string& prefix) {
  return path.filename().string().rfind(prefix, 0) == 0;
}

struct Loaded {
  const std::string& prefix;
  std::string path;
};

int note_loaded(dl_phdr_info* info, std::size_t, void* result) {
  Loaded& loaded = *static_cast<Loaded*>(result);
  if (info->dlpi_name == nullptr || !has_prefix(info->dlpi_name, loaded.prefix)) return 0;
  loaded.path = info->dlpi_name;
  return 1;
}

// The library's file in a folder: a wheel has the one with all of its version alone, an SDK links to it as well.
std::string file_in(const std::string& folder, const std::string& prefix) {
  std::error_code ignored;
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (has_prefix(entry.path(), prefix)) found.push_back(entry.path().string());
  }
  return found.empty() ? "" : *std::min_element(found.begin(), found.end());
}

}  // namespace

void SearchFolders::add(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (std::find(folders_.begin(), folders_.end(), folder) == folders_.end()) folders_.push_back(folder);
}

std::vector<std::string> SearchFolders::all() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return folders_;
}

void* try_library(const std::string& file, const std::string& origin, const AcceptLibrary& accept, std::string* tried) {
  const std::string label = "\n  " + file + (origin.empty() ? "" : " (" + origin + ")") + ": ";
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    *tried += label + (reason != nullptr ? reason : "cannot be opened");
    return nullptr;
  }
  const std::string fault = accept(handle, file);
  if (fault.empty()) return handle;
  *tried += label + fault;
  dlclose(handle);
  return nullptr;
}

FoundLibrary find_library(const LibraryPlaces& places, const AcceptLibrary& accept) {
  FoundLibrary found;
  const auto open = [&](const std::string& file, const std::string& origin) {
    found.handle = try_library(file, origin, accept, &found.tried);
    if (found.handle != nullptr) found.path = file;
    return found.handle != nullptr;
  };

  const char* chosen = places.variable == nullptr ? nullptr : std::getenv(places.variable);
  if (chosen != nullptr && *chosen != '\0') {
    open(chosen, places.variable);
    return found;
  }
  Loaded loaded{places.prefix, {}};
  if (dl_iterate_phdr(note_loaded, &loaded) != 0 && open(loaded.path, "already in the process")) return found;
  for (const std::string& folder : places.folders) {
    if (folder.empty()) continue;
    const std::string file = file_in(folder, places.prefix);
    if (file.empty()) {
      found.tried += "\n  " + folder + ": no " + places.prefix + "*";
    } else if (open(file, "")) {
      return found;
    }
  }
  for (const std::string& name : places.names) {
    if (open(name, "the loader's path")) return found;
  }
  return found;
}

}  // namespace vidrt
