// The shared memory of the block that runs, and who touched which byte of it since the last barrier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda_host/emulator/fault.h"

namespace vidrt::cuda_host {

class SharedMemory {
 public:
  /// A new block: the bytes are a pattern that no kernel would take for a number.
  void reset(std::size_t bytes);
  /// A barrier was passed.
  void next_phase() { ++phase_; }

  unsigned char* data() { return reinterpret_cast<unsigned char*>(words_.data()); }

  /// Throws Fault: outside, misaligned, or a byte that another thread touches in the same phase and one of both writes.
  void touch(const void* address, std::size_t bytes, unsigned thread, bool write, const Site& site);

  /// An asynchronous copy into these bytes by `thread` has begun: nobody may touch them until it has ended.
  void begin_copy(const void* address, std::size_t bytes, unsigned thread, const Site& site);
  void end_copy(const void* address, std::size_t bytes, unsigned thread, const Site& site);

 private:
  static constexpr std::size_t kGrain = 2;
  static constexpr std::uint32_t kSeveral = 0xffffffffu;

  struct alignas(16) Word {
    unsigned char bytes[16];
  };
  struct Touched {
    std::uint64_t write_phase = 0;
    std::uint64_t read_phase = 0;
    std::uint32_t writer = 0;
    std::uint32_t reader = 0;
    bool copying = false;
  };

  std::size_t offset_of(const void* address, std::size_t bytes, const Site& site);
  void set_copying(const void* address, std::size_t bytes, bool copying, const Site& site);

  std::vector<Word> words_;
  std::vector<Touched> touched_;
  std::size_t bytes_ = 0;
  std::uint64_t phase_ = 0;
};

}  // namespace vidrt::cuda_host
