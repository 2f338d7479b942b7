// The kernels' language (csrc/kernels/cuda/device.cuh) as a host compiler runs it: every access is checked.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "cuda_host/emulator/stream.h"
#include "kernels/half_types.h"

namespace vidrt::kernels::cuda {

using cuda_host::Block;
using cuda_host::Site;

template <typename... P>
cudaError_t launch(void (*kernel)(P...), const LaunchShape& shape, cudaStream_t stream, const P&... parameters) {
  // In copies: the launch may be done when the caller's are gone.
  return stream->launch(shape, [kernel, copies = std::tuple<P...>(parameters...)] { std::apply(kernel, copies); });
}

template <typename V>
V load_global(const void* address, Site site = Site::here()) {
  Block::running().touch_global(address, sizeof(V), false, site);
  V value;
  std::memcpy(static_cast<void*>(&value), address, sizeof(V));
  return value;
}

template <typename V>
V load_own(const void* address, Site site = Site::here()) {
  return load_global<V>(address, site);
}

template <typename V>
void store_global(void* address, const V& value, Site site = Site::here()) {
  Block::running().touch_global(address, sizeof(V), true, site);
  std::memcpy(address, &value, sizeof(V));
}

inline unsigned char* shared_memory() { return Block::running().shared().data(); }

template <typename V>
V load_shared(const void* address, Site site = Site::here()) {
  Block::running().touch_shared(address, sizeof(V), false, site);
  V value;
  std::memcpy(static_cast<void*>(&value), address, sizeof(V));
  return value;
}

template <typename V>
void store_shared(void* address, const V& value, Site site = Site::here()) {
  Block::running().touch_shared(address, sizeof(V), true, site);
  std::memcpy(address, &value, sizeof(V));
}

inline void copy_async(void* shared, const void* global, bool from_memory, Site site = Site::here()) {
  Block::running().begin_copy(shared, from_memory ? global : nullptr, site);
}
inline void commit_copies() { Block::running().commit_copies(); }
template <int kGroups>
void wait_for_copies() {
  Block::running().wait_for_copies(kGroups);
}

inline void wait_for_block(Site site = Site::here()) { Block::running().wait_for_block(site); }

template <typename V>
V shuffle_xor(V value, unsigned lane_mask, Site site = Site::here()) {
  Block& block = Block::running();
  block.exchange(&value, sizeof(V), site);
  V other;
  std::memcpy(&other, block.exchanged((block.thread() % cuda_host::kWarp) ^ lane_mask), sizeof(V));
  return other;
}

inline float widen(float value) { return value; }
inline float widen(Float16 value) { return to_float(value); }
inline float widen(BFloat16 value) { return to_float(value); }
template <typename T>
T narrow(float value) {
  return from_float<T>(value);
}

// What a lane gives of its warp's fragments.
template <typename Pair, int kRows, int kColumns>
struct Fragments {
  Pair rows[kRows][4];
  Pair columns[kColumns][2];
};

// As the PTX ISA lays them out: of an operand's row (or column) g, lane 4*g + q has depths 2q, 2q+1 and, in the other
// half of its registers, 2q+8, 2q+9; of A, odd registers are of row g + 8.
template <typename Pair, int kRows, int kColumns>
void multiply_fragments(const Pair (&rows)[kRows][4], const Pair (&columns)[kColumns][2],
                        float (&sums)[kRows * kColumns * 4], Site site = Site::here()) {
  Block& block = Block::running();
  Fragments<Pair, kRows, kColumns> mine;
  std::copy_n(&rows[0][0], kRows * 4, &mine.rows[0][0]);
  std::copy_n(&columns[0][0], kColumns * 2, &mine.columns[0][0]);
  block.exchange(&mine, sizeof(mine), site);
  const auto of_lane = [&](unsigned lane) {
    return static_cast<const Fragments<Pair, kRows, kColumns>*>(block.exchanged(lane));
  };
  const unsigned lane = block.thread() % cuda_host::kWarp;
  for (int s = 0; s < kRows * kColumns * 4; ++s) {
    const int i = s / 4 / kColumns;
    const int j = s / 4 % kColumns;
    const unsigned row = lane / 4;  // and 8 more in the upper half
    const unsigned column = lane % 4 * 2 + s % 2;
    for (unsigned depth = 0; depth < 16; ++depth) {
      const unsigned quad = depth % 8 / 2;
      const Pair& a = of_lane(4 * row + quad)->rows[i][s / 2 % 2 + depth / 8 * 2];
      const Pair& b = of_lane(4 * column + quad)->columns[j][depth / 8];
      sums[s] = std::fma(widen(a.values[depth % 2]), widen(b.values[depth % 2]), sums[s]);
    }
  }
}

// The project is compiled as ISO C++, in which the compiler fuses no product and sum.
inline float product(float a, float b) { return a * b; }
inline float sum(float a, float b) { return a + b; }
inline int nearest(float value) { return static_cast<int>(std::nearbyint(value)); }

inline float divide(float a, float b) { return a / b; }

}  // namespace vidrt::kernels::cuda
