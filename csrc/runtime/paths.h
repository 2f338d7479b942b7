// Paths that a bundle names: relative, inside the folder, and regular files.
#pragma once

#include <cstdint>
#include <string>

namespace vidrt {

/// What is wrong with a relative path as a manifest may write it, or "" if nothing is. Allowed: parts of printable
/// characters separated by single '/', no part "." or "..", no '\' and no ':' (a drive on other systems), at most 1024
/// bytes. Looks at no disk.
std::string relative_path_fault(const std::string& path);

/// The absolute path of a regular file named by a relative path below `root`, symbolic links resolved. Throws
/// BundleError when the path is not allowed, the file is missing or no regular file, or a link leads out of `root`.
std::string resolve_inside(const std::string& root, const std::string& relative);

/// Size in bytes of a regular file. Throws BundleError.
std::uint64_t file_size(const std::string& path);

/// The whole of a file. Throws BundleError when it is missing, no regular file, larger than `max_bytes` or cannot be
/// read.
std::string read_file(const std::string& path, std::uint64_t max_bytes);

}  // namespace vidrt
