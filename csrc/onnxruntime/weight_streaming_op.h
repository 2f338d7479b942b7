// The operators whose weights are read from their file in every run. ReadWeight is that of graphs that stream_kernels()
// made: its result is a weight.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <vector>

#include "onnxruntime/conv_sum_op.h"
#include "onnxruntime/ort_handle.h"
#include "runtime/mapped_weight.h"

namespace vidrt {

/// The weights that one session reads from their files, and the operators that do it. Keep it until the session is
/// gone.
class WeightStreaming {
 public:
  /// `weights` are read as float32 (runtime/streamed_kernels.h), `kernels` as they are (runtime/conv_sums.h). Throws
  /// BackendError.
  WeightStreaming(const OrtApi& api, std::vector<MappedWeight> weights, std::vector<ConvSumOp::Kernel> kernels,
                  int threads);
  WeightStreaming(const WeightStreaming&) = delete;
  WeightStreaming& operator=(const WeightStreaming&) = delete;
  ~WeightStreaming();

  /// Make a session with these options know the operators. Throws BackendError.
  void add_to(OrtSessionOptions* options) const;

 private:
  struct Op;

  const OrtApi& api_;
  std::unique_ptr<Op> op_;
  ConvSumOp conv_sum_;
  OrtHandle<OrtCustomOpDomain> domain_;
};

}  // namespace vidrt
