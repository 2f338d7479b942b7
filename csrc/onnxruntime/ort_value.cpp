#include "onnxruntime/ort_value.h"

#include "onnxruntime/ort_library.h"
#include "runtime/onnx_tensor.h"

namespace vidrt {

OrtHandle<OrtMemoryInfo> host_memory(const OrtApi& api) {
  OrtMemoryInfo* memory = nullptr;
  check_ort(api, api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory), "describing host memory");
  return own(memory, api.ReleaseMemoryInfo);
}

OrtHandle<OrtMemoryInfo> gpu_memory(const OrtApi& api, int index) {
  OrtMemoryInfo* memory = nullptr;
  check_ort(api, api.CreateMemoryInfo("Cuda", OrtDeviceAllocator, index, OrtMemTypeDefault, &memory),
            "describing memory of the GPU");
  return own(memory, api.ReleaseMemoryInfo);
}

OrtHandle<OrtValue> wrap_tensor(const OrtApi& api, const OrtMemoryInfo* memory, const TensorView& view,
                                const std::string& what) {
  // ONNX Runtime numbers its element types as ONNX does.
  const auto type = static_cast<ONNXTensorElementDataType>(onnx_data_type(view.dtype));
  OrtValue* value = nullptr;
  check_ort(api,
            api.CreateTensorWithDataAsOrtValue(memory, view.data, view.bytes(), view.shape.data(), view.shape.size(),
                                               type, &value),
            what);
  return own(value, api.ReleaseValue);
}

}  // namespace vidrt
