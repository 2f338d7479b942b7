// Memory of a session's allocator for one run of a node.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <new>

namespace vidrt::custom_ops {

class Scratch {
 public:
  /// Throws std::bad_alloc.
  Scratch(OrtAllocator* allocator, std::size_t bytes) : allocator_(allocator) {
    if (bytes == 0) return;
    data_ = allocator_->Alloc(allocator_, bytes);
    if (data_ == nullptr) throw std::bad_alloc();
  }
  ~Scratch() {
    if (data_ != nullptr) allocator_->Free(allocator_, data_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* data() const { return data_; }

 private:
  OrtAllocator* allocator_;
  void* data_ = nullptr;
};

}  // namespace vidrt::custom_ops
