// The buffers of a launch: bounds, who touched which byte, and traffic in sectors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda_host/emulator/fault.h"

namespace vidrt::cuda_host {

constexpr std::size_t kSectorBytes = 32;  // what the memory moves at least, and what a request is cut into
constexpr unsigned kWarp = 32;

struct Traffic {
  std::uint64_t read_sectors = 0;
  std::uint64_t written_sectors = 0;

  std::uint64_t bytes() const { return (read_sectors + written_sectors) * kSectorBytes; }
};

enum class Rights { kRead, kReadWrite };

class GlobalMemory {
 public:
  GlobalMemory() = default;
  GlobalMemory(const GlobalMemory&) = delete;
  GlobalMemory& operator=(const GlobalMemory&) = delete;
  ~GlobalMemory();

  /// From now on kernels may touch these bytes. Null and zero bytes declare nothing. The memory stays the caller's.
  void declare(const std::string& name, const void* data, std::size_t bytes, Rights rights);
  /// No longer those that begin at `data`.
  void forget(const void* data);
  void forget_all();

  /// Blocks of the coming launch are told apart from all earlier ones.
  void begin_launch(std::uint32_t blocks);
  void begin_block(std::uint32_t block) { block_ = first_block_ + block; }

  /// Throws Fault: outside every buffer, misaligned, not writable, or a byte that another block of the launch writes.
  void touch(const void* address, std::size_t bytes, bool write, const Site& site);

 private:
  // Half of a word: no element is smaller.
  static constexpr std::size_t kGrain = 2;

  // Blocks by number; a number below first_block_ is of an earlier launch and says nothing.
  struct Touched {
    std::uint32_t writer;
    std::uint32_t first_reader;
    std::uint32_t last_reader;
  };
  struct Buffer {
    std::string name;
    std::uintptr_t begin;
    std::uintptr_t end;
    Rights rights;
    Touched* touched;  // zero pages until used, so that a huge buffer costs what is touched of it
    std::size_t touched_bytes;
  };

  bool is_other(std::uint32_t block) const { return block >= first_block_ && block != block_; }
  const Buffer& find(std::uintptr_t address, std::size_t bytes, const Site& site);

  std::vector<Buffer> buffers_;
  std::size_t last_ = 0;
  std::uint32_t first_block_ = 1;
  std::uint32_t next_block_ = 1;
  std::uint32_t block_ = 0;
};

/// The accesses of a warp between two barriers, joined to requests: what its lanes do at the same site for the same
/// time since they last came together.
class WarpRequests {
 public:
  /// Null: the lane takes part in the request and moves nothing.
  void add(unsigned lane, const void* address, std::size_t bytes, bool write, const Site& site);
  /// The lane is where all lanes of its warp come together.
  void converge(unsigned lane);
  /// Count the distinct sectors of every request, and begin anew.
  void flush(Traffic* traffic);

 private:
  struct Access {
    Site site;
    std::uint32_t meeting;
    std::uint64_t address;
    std::uint32_t bytes;
    bool write;
  };
  std::array<std::vector<Access>, kWarp> lanes_;
  std::array<std::uint32_t, kWarp> meetings_{};
};

}  // namespace vidrt::cuda_host
