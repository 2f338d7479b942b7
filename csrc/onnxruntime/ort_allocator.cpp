#include "onnxruntime/ort_allocator.h"

#include <new>

#include "onnxruntime/ort_api_version.h"
#include "onnxruntime/ort_value.h"

namespace vidrt {

OrtPoolAllocator::OrtPoolAllocator(const OrtApi& api) : info_(host_memory(api)) {
  callbacks_.self = this;
  callbacks_.version = kOrtApiVersion;
  callbacks_.Alloc = [](OrtAllocator* allocator, std::size_t bytes) -> void* {
    try {
      return owner(allocator).pool_.allocate(bytes);
    } catch (const std::bad_alloc&) {
      return nullptr;  // ONNX Runtime says what it wanted; exceptions may not pass through it
    }
  };
  callbacks_.Reserve = callbacks_.Alloc;
  callbacks_.Free = [](OrtAllocator* allocator, void* block) { owner(allocator).pool_.release(block); };
  callbacks_.Info = [](const OrtAllocator* allocator) -> const OrtMemoryInfo* { return owner(allocator).info_.get(); };
}

}  // namespace vidrt
