#include "runtime/block_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <new>

namespace vidrt {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kIdle = std::uint64_t{64} << 20U;  // what is worth keeping for whatever comes next
constexpr std::size_t kHugePages = std::size_t{4} << 20U;  // from here on their rounding does not matter
constexpr std::size_t kMaxWaste = std::size_t{1} << 20U;   // of a block that is larger than what was asked for

std::size_t whole_pages(std::size_t bytes) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (bytes > SIZE_MAX - page) throw std::bad_alloc();
  return (bytes + page - 1) / page * page;
}

void* map_pages(std::size_t bytes) {
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (bytes >= kHugePages) madvise(block, bytes, MADV_HUGEPAGE);  // a wish: fewer page faults, nothing else
#endif
  return block;
}

void* small_block(std::size_t bytes) {
  void* block = nullptr;
  if (posix_memalign(&block, kAlignment, std::max(bytes, kAlignment)) != 0) throw std::bad_alloc();
  return block;
}

}  // namespace

BlockPool::~BlockPool() { drop_down_to(0); }

void* BlockPool::allocate(std::size_t bytes) {
  if (bytes < kPooled) return small_block(bytes);
  const std::size_t wanted = whole_pages(bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  void* block = take_kept(wanted);
  if (block == nullptr) {
    drop_down_to(std::max(usage_.peak, usage_.in_use + wanted) - wanted);
    block = map_pages(wanted);
    usage_.held += wanted;
    count_as_used(block, wanted);
  }
  return block;
}

// The smallest kept block that is large enough, without what it has much too much. Null: there is none.
void* BlockPool::take_kept(std::size_t bytes) {
  const auto found = kept_.lower_bound(bytes);
  if (found == kept_.end()) return nullptr;
  std::size_t size = found->first;
  void* block = found->second;
  kept_.erase(found);
  if (size - bytes > std::min(bytes / 8, kMaxWaste)) {
    munmap(static_cast<std::uint8_t*>(block) + bytes, size - bytes);
    usage_.held -= size - bytes;
    size = bytes;
  }
  count_as_used(block, size);
  return block;
}

void BlockPool::count_as_used(void* block, std::size_t bytes) {
  used_.emplace(block, bytes);
  usage_.in_use += bytes;
  usage_.peak = std::max(usage_.peak, usage_.in_use);
}

// Give kept blocks back, the largest first, until no more than `most` bytes are held. Callers have the lock.
void BlockPool::drop_down_to(std::uint64_t most) noexcept {
  while (usage_.held > most && !kept_.empty()) {
    const auto last = std::prev(kept_.end());
    const auto [size, block] = *last;
    kept_.erase(last);
    munmap(block, size);
    usage_.held -= size;
  }
}

void BlockPool::release(void* block) noexcept {
  if (block == nullptr) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = used_.find(block);
    if (found != used_.end()) {
      const std::size_t bytes = found->second;
      used_.erase(found);
      usage_.in_use -= bytes;
      kept_.emplace(bytes, block);
      return;
    }
  }
  std::free(block);
}

void BlockPool::trim() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  drop_down_to(usage_.in_use + kIdle);
  usage_.peak = usage_.in_use;
}

BlockPool::Usage BlockPool::usage() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return usage_;
}

}  // namespace vidrt
