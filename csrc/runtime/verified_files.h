// Which weight files have been hashed already, so that large ones are not hashed at every start.
#pragma once

#include <cstdint>
#include <string>

namespace vidrt {

/// A file as it was when it was looked at, and the hash it is expected to have.
struct FileStamp {
  std::string path;  // absolute
  std::string sha256;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since the epoch
};

/// Take a file's stamp. Throws BundleError when it cannot be looked at.
FileStamp file_stamp(const std::string& path, const std::string& sha256);

/// Whether this very stamp was remembered, by this process or in the user's cache folder. Thread-safe.
bool is_verified(const FileStamp& stamp);

/// Remember a stamp in the process and, as far as possible, in `verified-files` of the user's cache folder
/// ($VIDRT_CACHE_DIR, $XDG_CACHE_HOME/vidrt or ~/.cache/vidrt). A folder that cannot be written costs only the time of
/// hashing again. Thread-safe; processes that write at once may lose a line, never damage the file.
void remember_verified(const FileStamp& stamp);

}  // namespace vidrt
