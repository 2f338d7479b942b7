#include "runtime/own_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "runtime/library_search.h"
#include "vidrt/errors.h"
#include "vidrt/version.h"

namespace vidrt {

namespace fs = std::filesystem;

std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  return fs::path(info.dli_fname).parent_path().string();
}

OwnLibrary::OwnLibrary(std::string name, std::string without)
    : name_(std::move(name)), file_("lib" + name_ + ".so"), without_(std::move(without)) {}

bool OwnLibrary::exists() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (handle_ != nullptr) return true;
  Found found = search();
  handle_ = found.handle;
  return found.is_there;
}

void* OwnLibrary::symbol(const char* name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (handle_ == nullptr) open();
  void* address = dlsym(handle_, name);
  if (address == nullptr) throw BackendError(file_ + " has no function " + name + "; install one vidrt anew.");
  return address;
}

void OwnLibrary::open() {
  Found found = search();
  if (found.handle == nullptr) {
    throw BackendError((found.is_there ? file_ + " cannot be used." : without_) + " Tried:" + found.tried);
  }
  handle_ = found.handle;
}

OwnLibrary::Found OwnLibrary::search() const {
  Found found;
  const char* chosen = std::getenv("VIDRT_LIBRARY_DIR");
  const bool is_chosen = chosen != nullptr && *chosen != '\0';
  const std::string folder = is_chosen ? chosen : own_folder();
  if (!folder.empty() || is_chosen) {
    const std::string file = (fs::path(folder) / file_).string();
    std::error_code ignored;
    if (!fs::exists(file, ignored)) {
      found.tried += "\n  " + file + (is_chosen ? " (VIDRT_LIBRARY_DIR)" : "") + ": there is no such file";
    } else if (take(file, is_chosen ? "VIDRT_LIBRARY_DIR" : "", &found)) {
      return found;
    }
  }
  // A file that is there and cannot be used is to be put right, not passed over.
  if (!is_chosen && !found.is_there) take(file_, "the loader's path", &found);
  return found;
}

bool OwnLibrary::take(const std::string& file, const std::string& origin, Found* found) const {
  found->is_there = file.find('/') != std::string::npos;
  const auto refuse = [&](void* handle, const std::string&) -> std::string {
    found->is_there = true;
    const auto its_version = reinterpret_cast<const char* (*)()>(dlsym(handle, (name_ + "_version").c_str()));
    if (its_version != nullptr && std::string(its_version()) == version()) return "";
    const std::string other = its_version == nullptr ? "has no version" : std::string("is of vidrt ") + its_version();
    return other + ", this is " + version() + "; install one vidrt anew";
  };
  found->handle = try_library(file, origin, refuse, &found->tried);
  return found->handle != nullptr;
}

}  // namespace vidrt
