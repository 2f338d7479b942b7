#include "runtime/paths.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPathBytes = 1024;

bool is_inside(const fs::path& path, const fs::path& root) {
  const auto [root_end, unused] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return root_end == root.end();
}

// A named pipe or a device would block or never end.
void require_regular_file(const fs::path& path) {
  std::error_code unknown;  // of a missing file, reading says more
  const fs::file_status status = fs::status(path, unknown);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw BundleError("'" + path.string() + "' is no regular file, expected one. Check the path.");
  }
}

}  // namespace

std::string relative_path_fault(const std::string& path) {
  if (path.empty()) return "is empty";
  if (path.size() > kMaxPathBytes) return "is longer than " + std::to_string(kMaxPathBytes) + " bytes";
  if (path.front() == '/') return "is absolute";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return "holds a control character";
    if (c == '\\' || c == ':') return std::string("holds '") + c + "'";
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (part.empty()) return "has an empty part";
    if (part == "." || part == "..") return "has a part '" + part + "'";
    begin = end + 1;
  }
  return "";
}

std::string resolve_inside(const std::string& root, const std::string& relative) {
  const std::string fault = relative_path_fault(relative);
  if (!fault.empty()) {
    throw BundleError("bundle '" + root + "': the path '" + relative + "' " + fault +
                      "; expected a path relative to the bundle that stays inside it. Do not use this bundle unless "
                      "you trust where it came from.");
  }
  const fs::path wanted = fs::path(root) / relative;
  std::error_code error;
  const fs::path real_root = fs::canonical(root, error);
  if (error) throw BundleError("bundle '" + root + "' cannot be opened: " + error.message() + ".");
  const fs::path real = fs::canonical(wanted, error);
  if (error) {
    throw BundleError("bundle '" + root + "': the file '" + relative + "' cannot be opened: " + error.message() +
                      ". The copy is incomplete; fetch or export the bundle again.");
  }
  if (!is_inside(real, real_root)) {
    throw BundleError("bundle '" + root + "': the path '" + relative + "' leads out of the folder to '" +
                      real.string() + "'; expected a file inside it. Copy the bundle with its links followed.");
  }
  require_regular_file(real);
  return real.string();
}

std::uint64_t file_size(const std::string& path) {
  require_regular_file(path);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw BundleError("cannot read '" + path + "': " + error.message() + ". Check the path.");
  return size;
}

std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  const std::uint64_t size = file_size(path);
  if (size > max_bytes) {
    throw BundleError("'" + path + "' has " + std::to_string(size) + " bytes, expected at most " +
                      std::to_string(max_bytes) + "; it is damaged or not what its name says.");
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file || static_cast<std::uint64_t>(file.gcount()) != size) {
    throw BundleError("'" + path + "' cannot be read to its end (" + std::to_string(file.gcount()) + " of " +
                      std::to_string(size) + " bytes); check the disk and its permissions.");
  }
  return bytes;
}

}  // namespace vidrt
