#include "onnxruntime/ort_cuda.h"

#include <string>

#include "onnxruntime/ort_handle.h"
#include "onnxruntime/ort_library.h"
#include "runtime/gpu_device.h"

namespace vidrt {

void append_cuda(const OrtApi& api, OrtSessionOptions* options, int index, const GpuDevice* device) {
  const std::string what = "taking the CUDA provider (pip install \"vidrt[cuda]\" has it)";
  OrtCUDAProviderOptionsV2* raw = nullptr;
  check_ort(api, api.CreateCUDAProviderOptions(&raw), what);
  const OrtHandle<OrtCUDAProviderOptionsV2> cuda = own(raw, api.ReleaseCUDAProviderOptions);
  const char* keys[] = {"device_id"};
  const std::string device_id = std::to_string(index);
  const char* values[] = {device_id.c_str()};
  check_ort(api, api.UpdateCUDAProviderOptions(raw, keys, values, 1), what);
  if (device != nullptr) {
    check_ort(api, api.UpdateCUDAProviderOptionsWithValue(raw, "user_compute_stream", device->stream()), what);
  }
  check_ort(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, raw), what);
}

void leave_runs_queued(const OrtApi& api, OrtRunOptions* options) {
  check_ort(api, api.AddRunConfigEntry(options, "disable_synchronize_execution_providers", "1"),
            "leaving runs queued");
}

}  // namespace vidrt
