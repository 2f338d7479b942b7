// A file mapped into memory, read only: its pages are the system's cache, shared by all who map it.
#pragma once

#include <cstdint>
#include <string>

namespace vidrt {

class MappedFile {
 public:
  /// Throws BundleError when the file cannot be opened or mapped, or has another size than `bytes` (> 0).
  MappedFile(const std::string& path, std::uint64_t bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::uint8_t* data() const { return data_; }
  /// Let go of pages that were read and will not be: they count as the process's memory until then. They stay valid.
  void drop_pages(std::uint64_t offset, std::uint64_t bytes) const;
  std::uint64_t bytes() const { return bytes_; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace vidrt
