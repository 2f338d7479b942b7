// The operator of graphs that sum_convolutions() made: kernels are read from their file in every run, in place.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>
#include <vector>

#include "onnxruntime/custom_ops/plain_custom_op.h"
#include "runtime/mapped_weight.h"

namespace vidrt {

/// Y = B + sum of X_i * kernel_i, float32 (runtime/conv_sums.h). For ONNX Runtime's CPU provider, which keeps the
/// address: keep it until the session is gone.
class ConvSumOp : public custom_ops::PlainCustomOp {
 public:
  struct Kernel {
    MappedWeight weight;  // (O, C, 3, 3) or (O, C, T, 3, 3)
    bool let_go = false;  // of its pages, after every run
  };

  ConvSumOp(const OrtApi& api, std::vector<Kernel> kernels, int threads);

  const OrtApi& api() const { return api_; }
  int threads() const { return threads_; }
  /// Throws std::invalid_argument where there are not so many.
  const Kernel& kernel(std::int64_t index) const;

 private:
  const OrtApi& api_;
  const std::vector<Kernel> kernels_;
  const int threads_;
};

}  // namespace vidrt
