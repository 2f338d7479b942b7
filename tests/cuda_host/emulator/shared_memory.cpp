#include "cuda_host/emulator/shared_memory.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace vidrt::cuda_host {

void SharedMemory::reset(std::size_t bytes) {
  bytes_ = bytes;
  words_.resize(bytes / sizeof(Word) + 1);
  std::memset(data(), 0xff, words_.size() * sizeof(Word));  // not a number in every element type
  touched_.assign(bytes / kGrain + 1, {});
  ++phase_;
}

std::size_t SharedMemory::offset_of(const void* address, std::size_t bytes, const Site& site) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data());
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (at < begin || at + bytes > begin + bytes_) {
    throw Fault(to_string(site) + ": " + std::to_string(bytes) + " bytes outside of shared memory, byte " +
                std::to_string(static_cast<std::int64_t>(at - begin)) + " of " + std::to_string(bytes_));
  }
  if (at % bytes != 0) {
    throw Fault(to_string(site) + ": " + std::to_string(bytes) + " bytes at a misaligned address of shared memory");
  }
  return at - begin;
}

void SharedMemory::touch(const void* address, std::size_t bytes, unsigned thread, bool write, const Site& site) {
  const std::size_t offset = offset_of(address, bytes, site);
  for (std::size_t grain = offset / kGrain; grain < (offset + bytes + kGrain - 1) / kGrain; ++grain) {
    Touched& touched = touched_[grain];
    const bool written = touched.write_phase == phase_ && touched.writer != thread;
    const bool read = touched.read_phase == phase_ && touched.reader != thread;
    if (touched.copying || written || (write && read)) {
      throw Fault(to_string(site) + ": byte " + std::to_string(grain * kGrain) + " of shared memory is " +
                  (touched.copying ? "still being copied to"
                                   : "written by one thread and touched by another without a barrier between"));
    }
    if (write) {
      touched.write_phase = phase_;
      touched.writer = thread;
    } else {
      touched.reader = read ? kSeveral : thread;
      touched.read_phase = phase_;
    }
  }
}

void SharedMemory::begin_copy(const void* address, std::size_t bytes, unsigned thread, const Site& site) {
  touch(address, bytes, thread, true, site);
  set_copying(address, bytes, true, site);
}

void SharedMemory::end_copy(const void* address, std::size_t bytes, unsigned thread, const Site& site) {
  set_copying(address, bytes, false, site);
  touch(address, bytes, thread, true, site);
}

void SharedMemory::set_copying(const void* address, std::size_t bytes, bool copying, const Site& site) {
  const std::size_t first = offset_of(address, bytes, site) / kGrain;
  for (std::size_t grain = first; grain < first + bytes / kGrain; ++grain) touched_[grain].copying = copying;
}

}  // namespace vidrt::cuda_host
