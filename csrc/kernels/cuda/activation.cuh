// What follows the sum: Y = activation(sum) + residual.
#pragma once

#include "kernels/conv3d_types.h"
#include "kernels/cuda/device.cuh"

namespace vidrt::kernels::cuda {

/// values[i] = activation(values[i]). The activation is the same for all threads of a launch, so the branch costs no
/// divergence; it stands outside of the loops, which keeps registers.
template <int kCount>
__device__ __forceinline__ void activate(Activation activation, float (&values)[kCount]) {
  const auto each = [&](const auto& function) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = function(values[i]);
  };
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      return each([](float value) { return fmaxf(value, 0.0f); });
    case Activation::kSilu:
      return each([](float value) { return divide(value, 1.0f + expf(-value)); });
    case Activation::kGelu:
      return each([](float value) { return 0.5f * value * (1.0f + erff(value * 0.70710678118654752f)); });
    case Activation::kGeluTanh:
      return each([](float value) {
        // Hendrycks and Gimpel, 2016, section 2; 0.5*(1 + tanh(u)) = 1/(1 + exp(-2u)).
        return divide(value, 1.0f + expf(-1.5957691216057308f * (value + 0.044715f * value * value * value)));
      });
  }
}

}  // namespace vidrt::kernels::cuda
