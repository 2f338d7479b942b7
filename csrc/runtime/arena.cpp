#include "runtime/arena.h"

#include <limits>
#include <string>
#include <utility>

#include "vidrt/errors.h"

namespace vidrt {

Arena::~Arena() { release(); }

void Arena::reserve(std::size_t bytes) {
  if (bytes <= capacity_) return;
  release();  // before asking for more: old and new together may not fit
  constexpr std::size_t kLimit = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
  if (bytes <= kLimit - kArenaAlignment) {
    const std::size_t rounded = (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    data_ = static_cast<std::byte*>(device_.allocate(rounded));
    capacity_ = data_ == nullptr ? 0 : rounded;
  }
  if (data_ == nullptr) {
    throw OutOfMemory("the system refused " + refusal(device_, bytes) +
                      " for the arena; lower the height, width or num_frames, or free memory.");
  }
}

void Arena::release() noexcept {
  device_.release(data_);
  data_ = nullptr;
  capacity_ = 0;
}

TensorView Arena::view(std::size_t offset, DType dtype, Shape shape) const {
  const std::size_t elements = static_cast<std::size_t>(element_count(shape));
  // Divided, so that a product that overflows cannot pass.
  const bool fits = offset <= capacity_ && elements <= (capacity_ - offset) / dtype_bytes(dtype);
  if (!fits || offset % dtype_bytes(dtype) != 0) {
    throw InvalidArgument("a " + std::string(dtype_name(dtype)) + " tensor of shape " + shape_string(shape) +
                          " at offset " + std::to_string(offset) + " does not lie in the arena of " +
                          std::to_string(capacity_) + " bytes at a multiple of its element size.");
  }
  return {data_ + offset, dtype, std::move(shape)};
}

}  // namespace vidrt
