// The system's pages.
#pragma once

#include <cstddef>

namespace vidrt {

/// Let go of the whole pages within a block: memory of its own reads as zeros afterwards, a mapped file as the file.
void discard_pages(const void* memory, std::size_t bytes) noexcept;

/// Have the pages of a mapped file that a block lies in read now, and count as the process's memory from here on.
void touch_pages(const void* memory, std::size_t bytes) noexcept;

/// Give back what the C library keeps of memory that was freed, where it can be asked to.
void trim_heap() noexcept;

}  // namespace vidrt
