// The entry of libvidrt_ort_ops.so, by the name that ONNX Runtime looks for.
#include <algorithm>
#include <thread>

#include "onnxruntime/custom_ops/custom_ops.h"
#include "onnxruntime/ort_api_version.h"

extern "C" __attribute__((visibility("default"))) OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options,
                                                                                            const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(vidrt::kOrtApiVersion);
  if (api == nullptr) {
    // Creating a status belongs to the first API there was.
    return base->GetApi(1)->CreateStatus(ORT_FAIL, "the vidrt operators need ONNX Runtime 1.21 or later.");
  }
  // The session's number of threads is not told. More pieces than threads cost little, fewer leave threads without
  // work.
  const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return vidrt::custom_ops::add_to(options, *api, base->GetVersionString(), threads);
}
