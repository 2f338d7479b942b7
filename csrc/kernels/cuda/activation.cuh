// What follows the sum: Y = activation(sum) + residual.
#pragma once

#include "kernels/conv3d_types.h"
#include "kernels/cuda/device.cuh"

namespace vidrt::kernels::cuda {

/// The same for all threads of a launch, so the branches cost no divergence.
__device__ __forceinline__ float activate(float value, Activation activation) {
  switch (activation) {
    case Activation::kNone: return value;
    case Activation::kRelu: return fmaxf(value, 0.0f);
    case Activation::kSilu: return value / (1.0f + expf(-value));
    case Activation::kGelu: return 0.5f * value * (1.0f + erff(value * 0.70710678118654752f));
    case Activation::kGeluTanh: {
      // Hendrycks and Gimpel, 2016, section 2; 0.5*(1 + tanh(u)) = 1/(1 + exp(-2u)).
      const float twice = 1.5957691216057308f * (value + 0.044715f * value * value * value);
      return value / (1.0f + expf(-twice));
    }
  }
  return value;
}

}  // namespace vidrt::kernels::cuda
