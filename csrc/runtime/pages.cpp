#include "runtime/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace vidrt {
namespace {

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

void discard_pages(const void* memory, std::size_t bytes) noexcept {
  const std::uintptr_t page = page_bytes();
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + page - 1) / page * page;  // neighbours' pages stay
  const std::uintptr_t end = (begin + bytes) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

void touch_pages(const void* memory, std::size_t bytes) noexcept {
  const auto* const begin = static_cast<const volatile std::uint8_t*>(memory);
  for (std::size_t offset = 0; offset < bytes; offset += page_bytes()) (void)begin[offset];
  if (bytes != 0) (void)begin[bytes - 1];
}

void trim_heap() noexcept {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace vidrt
