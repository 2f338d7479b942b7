#include "runtime/verified_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <system_error>

#include "runtime/atomic_file.h"
#include "runtime/cache_folder.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::size_t kMaxRemembered = 1000;  // lines of the file; the oldest go first
constexpr std::size_t kMaxLine = 8192;

std::mutex& guard() {
  static std::mutex mutex;
  return mutex;
}

std::set<std::string>& verified_here() {
  static std::set<std::string> lines;
  return lines;
}

std::string line_of(const FileStamp& stamp) {
  return stamp.sha256 + " " + std::to_string(stamp.bytes) + " " + std::to_string(stamp.modified_ns) + " " + stamp.path;
}

// "" when the user has no home.
std::string cache_file() {
  const std::string folder = cache_folder();
  return folder.empty() ? "" : (std::filesystem::path(folder) / "verified-files").string();
}

// The newest lines, oldest first. Whatever else is in the file is no line of ours and matches no stamp.
std::deque<std::string> read_lines() {
  std::deque<std::string> lines;
  std::ifstream file(cache_file());
  std::string line;
  while (std::getline(file, line)) {
    if (line.size() > kMaxLine) continue;
    lines.push_back(line);
    if (lines.size() > kMaxRemembered) lines.pop_front();
  }
  return lines;
}

void write_lines(const std::deque<std::string>& lines) {
  const std::string path = cache_file();
  if (path.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  try {
    write_file_atomic(path, text);
  } catch (const IoError&) {
    // A read-only home: the next process hashes again.
  }
}

}  // namespace

FileStamp file_stamp(const std::string& path, const std::string& sha256) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw BundleError("cannot look at '" + path + "': " + std::strerror(errno) + ".");
  }
  const std::int64_t modified = static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1000000000 + status.st_mtim.tv_nsec;
  return {path, sha256, static_cast<std::uint64_t>(status.st_size), modified};
}

bool is_verified(const FileStamp& stamp) {
  const std::lock_guard<std::mutex> lock(guard());
  const std::string line = line_of(stamp);
  if (verified_here().count(line) != 0) return true;
  const std::deque<std::string> lines = read_lines();
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

void remember_verified(const FileStamp& stamp) {
  const std::lock_guard<std::mutex> lock(guard());
  const std::string line = line_of(stamp);
  verified_here().insert(line);
  if (line.size() > kMaxLine || line.find('\n') != std::string::npos) return;
  std::deque<std::string> lines = read_lines();
  if (std::find(lines.begin(), lines.end(), line) != lines.end()) return;
  lines.push_back(line);
  if (lines.size() > kMaxRemembered) lines.pop_front();
  write_lines(lines);
}

}  // namespace vidrt
