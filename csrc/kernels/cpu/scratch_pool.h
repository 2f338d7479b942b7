// Scratch memory for as many threads as run at once, allocated for one call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace vidrt::kernels {

constexpr std::size_t kLineFloats = 16;  // of a cache's line

/// The first line of a cache that begins in this memory.
inline float* first_line(void* memory) {
  constexpr std::uintptr_t kBytes = kLineFloats * sizeof(float);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  return reinterpret_cast<float*>((begin + kBytes - 1) / kBytes * kBytes);
}

class ScratchPool {
 public:
  ScratchPool(std::size_t floats, int threads)
      : floats_((floats + kLineFloats - 1) / kLineFloats * kLineFloats),
        memory_(new float[floats_ * static_cast<std::size_t>(threads) + kLineFloats]),
        used_(static_cast<std::size_t>(threads)) {}

  /// One thread's part, from its construction to its end.
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), slot_(pool.take()) {}
    ~Lease() { pool_.used_[slot_].store(false, std::memory_order_release); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    float* floats() const { return first_line(pool_.memory_.get()) + slot_ * pool_.floats_; }

   private:
    ScratchPool& pool_;
    std::size_t slot_;
  };

 private:
  std::size_t take() {
    // Ends: a part that holds a slot runs to its end without waiting for another.
    for (std::size_t i = 0;; i = (i + 1) % used_.size()) {
      bool free = false;
      if (used_[i].compare_exchange_weak(free, true, std::memory_order_acquire)) return i;
    }
  }

  std::size_t floats_;
  std::unique_ptr<float[]> memory_;
  std::vector<std::atomic<bool>> used_;
};

}  // namespace vidrt::kernels
