#include "runtime/cache_folder.h"

#include <cstdlib>
#include <filesystem>

namespace vidrt {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string cache_folder() {
  namespace fs = std::filesystem;
  if (const std::string own = environment("VIDRT_CACHE_DIR"); !own.empty()) return own;
  if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return (fs::path(xdg) / "vidrt").string();
  const std::string home = environment("HOME");
  return home.empty() ? "" : (fs::path(home) / ".cache" / "vidrt").string();
}

}  // namespace vidrt
