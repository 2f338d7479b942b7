#include "runtime/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/pages.h"
#include "vidrt/errors.h"

namespace vidrt {

MappedFile::MappedFile(const std::string& path, std::uint64_t bytes) : bytes_(bytes) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  const bool seen = file >= 0 && fstat(file, &status) == 0;
  const bool right_size = seen && static_cast<std::uint64_t>(status.st_size) == bytes;
  void* address = right_size ? mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  const std::string reason = seen && !right_size ? "it changed its size since the bundle was opened" : strerror(errno);
  if (file >= 0) close(file);
  if (address == MAP_FAILED) throw BundleError("'" + path + "' cannot be mapped: " + reason + ".");
  data_ = static_cast<const std::uint8_t*>(address);
}

void MappedFile::drop_pages(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset < bytes_) discard_pages(data_ + offset, std::min(bytes, bytes_ - offset));
}

MappedFile::~MappedFile() { munmap(const_cast<std::uint8_t*>(data_), bytes_); }

}  // namespace vidrt
