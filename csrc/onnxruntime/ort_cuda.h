// ONNX Runtime's CUDA provider.
#pragma once

#include <onnxruntime_c_api.h>

namespace vidrt {

class GpuDevice;

/// Have sessions made with `options` run on the GPU `index`: on `device`'s stream where there is one, else on a stream
/// of their own, which each run waits for. Throws BackendError that says what to install where the provider is missing.
void append_cuda(const OrtApi& api, OrtSessionOptions* options, int index, const GpuDevice* device);

/// Runs are not waited for: whoever reads what they write is queued behind them on the same stream.
void leave_runs_queued(const OrtApi& api, OrtRunOptions* options);

}  // namespace vidrt
