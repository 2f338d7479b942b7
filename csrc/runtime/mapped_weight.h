// A weight that is read where it lies in its file.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/mapped_file.h"
#include "vidrt/tensor.h"

namespace vidrt {

struct MappedWeight {
  std::shared_ptr<const MappedFile> file;
  std::uint64_t offset = 0;       // a multiple of 4 bytes
  DType dtype = DType::kFloat32;  // float32, float16 or bfloat16
  Shape shape;

  const std::uint8_t* data() const { return file->data() + offset; }
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(element_count(shape)) * dtype_bytes(dtype); }
  /// Let go of its pages; they stay valid.
  void drop_pages() const { file->drop_pages(offset, bytes()); }
};

}  // namespace vidrt
