// Memory that is asked for and given back many times over, of which no more is ever held than was in use at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

namespace vidrt {

/// Blocks for tensors that come and go, as those between the nodes of a graph. What is given back stays for the next
/// one as long as blocks in use and blocks kept are together at most the peak of those in use: a pool that keeps more
/// (as one that cannot join what it took piece by piece) makes a process several times as large as its tensors.
/// Thread-safe.
class BlockPool {
 public:
  /// In bytes of whole pages; blocks below kPooled are left to the C library and are not counted.
  struct Usage {
    std::uint64_t in_use = 0;
    std::uint64_t peak = 0;  // of in_use since the last trim()
    std::uint64_t held = 0;  // in use and kept
  };

  static constexpr std::size_t kPooled = std::size_t{64} << 10U;

  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  /// At least `bytes`, aligned to 64. Its contents are undefined. Throws std::bad_alloc.
  void* allocate(std::size_t bytes);
  /// Give back what allocate() returned; null is allowed.
  void release(void* block) noexcept;
  /// Give what is kept back to the system, but for a little, and start the peak anew: what comes next may need less.
  void trim() noexcept;
  Usage usage() const;

 private:
  void* take_kept(std::size_t bytes);
  void count_as_used(void* block, std::size_t bytes);
  void drop_down_to(std::uint64_t most) noexcept;

  mutable std::mutex mutex_;
  std::unordered_map<void*, std::size_t> used_;  // bytes of each
  std::multimap<std::size_t, void*> kept_;       // by bytes
  Usage usage_;
};

}  // namespace vidrt
