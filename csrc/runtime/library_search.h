// Shared libraries that are opened when they are first needed: one place after another, and what was wrong with each.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace vidrt {

/// Folders that a host adds while it runs, as a Python interpreter those of its wheels. Thread-safe.
class SearchFolders {
 public:
  void add(const std::string& folder);
  std::vector<std::string> all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> folders_;
};

/// What is wrong with an opened library for the one that is looked for; empty: nothing.
using AcceptLibrary = std::function<std::string(void* handle, const std::string& path)>;

/// Open one file, or what the loader has of that name; null, and a line in `tried` that ends with what is wrong, where
/// it cannot be opened or is not accepted. `origin`: how the file was come by, for that line.
void* try_library(const std::string& file, const std::string& origin, const AcceptLibrary& accept, std::string* tried);

/// Where a library may be, in the order in which it is looked for.
struct LibraryPlaces {
  const char* variable = nullptr;  // of the environment: its path; where it is set, nothing else is tried
  std::string prefix;              // of its file: "libonnxruntime.so"; versions and endings may follow
  std::vector<std::string> folders;
  std::vector<std::string> names;  // that the loader is asked for
};

struct FoundLibrary {
  void* handle = nullptr;  // null: none was accepted
  std::string path;
  std::string tried;  // a line for each place, "\n  PLACE: what was wrong"
};

/// Open the first library that `accept` says nothing against; the others are closed again. A copy that the process has
/// already comes before the folders.
FoundLibrary find_library(const LibraryPlaces& places, const AcceptLibrary& accept);

}  // namespace vidrt
