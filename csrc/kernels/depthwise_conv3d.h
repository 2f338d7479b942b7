// Depthwise 3D convolution: every channel has its own filter. Y = activation(conv(X, W) + B) + residual.
#pragma once

#include <optional>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels {

/// The largest filter, along any axis.
constexpr std::int64_t kMaxKernel = 7;

/// One convolution with all sizes known and checked.
struct DepthwiseConv3dProblem {
  DepthwiseConv3dAttributes attributes;
  ElementType type = ElementType::kFloat32;  // of every tensor; sums are fp32 (fp64 in the reference)
  std::array<std::int64_t, 3> kernel{};
  ClipShape x;
  ClipShape y;
  // P: frames that a causal convolution reads back, (kT-1)*dT; the time size of the caches. 0 unless causal.
  std::int64_t cache_frames = 0;
  // Positions before and after the clip that the first and last outputs may read, by axis.
  std::array<std::int64_t, 3> pad_before{};
  std::array<std::int64_t, 3> pad_after{};

  ClipShape cache() const { return {x.n, x.c, cache_frames, x.h, x.w}; }
};

/// What a caller has, before it is known to fit together. Dimensions are in the order of the data layout, W's are
/// (C,1,kT,kH,kW).
struct DepthwiseConv3dInputs {
  std::array<std::int64_t, 5> x{};
  std::array<std::int64_t, 5> weight{};
  std::optional<std::int64_t> bias{};  // its length
  std::optional<std::array<std::int64_t, 5>> residual{};
  std::optional<std::array<std::int64_t, 5>> cache_in{};
  bool wants_cache_out = false;
};

/// Check that attributes and sizes fit, and work out the others.
/// Throws std::invalid_argument that names the input, what it is and what was expected.
DepthwiseConv3dProblem make_depthwise_conv3d_problem(const DepthwiseConv3dAttributes& attributes, ElementType type,
                                                     const DepthwiseConv3dInputs& inputs);

/// Contiguous tensors of the problem's element type and layout. No output may overlap an input or the other output.
struct DepthwiseConv3dTensors {
  const void* x = nullptr;
  const void* weight = nullptr;    // (C,1,kT,kH,kW)
  const void* bias = nullptr;      // (C), or null
  const void* residual = nullptr;  // as y, or null
  const void* cache_in = nullptr;  // P frames before x; null: the padding stands there
  void* y = nullptr;
  void* cache_out = nullptr;  // the last P frames of what came before x and x together; null: not wanted
};

/// Plain loops with sums in fp64: what every other implementation is compared with.
void depthwise_conv3d_ref(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors);

}  // namespace vidrt::kernels
