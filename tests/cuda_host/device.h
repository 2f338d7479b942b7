// The kernels' language (csrc/kernels/cuda/device.cuh) as a host compiler runs it: every access is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cuda_host/emulator/stream.h"
#include "kernels/half_types.h"

namespace vidrt::kernels::cuda {

using cuda_host::Block;
using cuda_host::Site;

template <typename... P>
cudaError_t launch(void (*kernel)(P...), const LaunchShape& shape, cudaStream_t stream, const P&... parameters) {
  return stream->launch(shape, [&] { kernel(parameters...); });
}

template <typename V>
V load_global(const void* address, Site site = Site::here()) {
  Block::running().touch_global(address, sizeof(V), false, site);
  V value;
  std::memcpy(static_cast<void*>(&value), address, sizeof(V));
  return value;
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

inline float divide(float a, float b) { return a / b; }

inline float widen(float value) { return value; }
inline float widen(Float16 value) { return to_float(value); }
inline float widen(BFloat16 value) { return to_float(value); }
template <typename T>
T narrow(float value) {
  return from_float<T>(value);
}

}  // namespace vidrt::kernels::cuda
