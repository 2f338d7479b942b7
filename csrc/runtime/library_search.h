// Shared libraries that are opened when they are first needed: one place after another, and what was wrong with each.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace vidrt {

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
  std::string tried;       // a line for each place, "\n  PLACE: what was wrong"
};

/// Open the first library that `accept` says nothing against; the others are closed again. A copy that the process has
/// already comes before the folders.
FoundLibrary find_library(const LibraryPlaces& places,
                          const std::function<std::string(void* handle, const std::string& path)>& accept);

}  // namespace vidrt
