// SHA-256 (FIPS 180-4), streaming: names weights by content and finds edited files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vidrt {

class Sha256 {
 public:
  void update(const void* data, std::size_t size);
  void update(const std::string& text) { update(text.data(), text.size()); }
  /// The digest as 64 lower-case hex digits. The object is spent afterwards.
  std::string finish();

 private:
  void process_block(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> pending_{};
  std::size_t pending_size_ = 0;
  std::uint64_t total_bytes_ = 0;
};

std::string sha256_of(const std::string& bytes);

/// Hash a file in pieces of 1 MiB. Throws IoError when it cannot be read.
std::string sha256_of_file(const std::string& path);

}  // namespace vidrt
