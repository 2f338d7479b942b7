// Files that are either whole or not there.
#pragma once

#include <cstddef>
#include <string>

namespace vidrt {

/// Writes beside the target under a temporary name; commit() flushes to the disk and renames. Destroyed without
/// commit() it leaves nothing behind, and an older file at the target stays as it was.
class AtomicFile {
 public:
  /// Throws IoError when the folder is missing or not writable.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws IoError, for a full disk for one.
  void write(const void* data, std::size_t size);
  void commit();

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
};

/// The whole content at once.
void write_file_atomic(const std::string& path, const std::string& bytes);

}  // namespace vidrt
