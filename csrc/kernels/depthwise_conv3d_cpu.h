// The operators on the processor, by the widest instruction set that it has.
#pragma once

#include <vector>

#include "kernels/depthwise_conv3d.h"
#include "kernels/depthwise_separable_conv3d.h"
#include "kernels/parallel.h"

namespace vidrt::kernels {

/// Instruction sets that the kernels are compiled for; which exist depends on the processor's architecture.
enum class Isa { kGeneric, kAvx2, kAvx512, kNeon };

const char* to_string(Isa isa);

/// The instruction set that the kernels use: the best the processor has, or what the environment variable VIDRT_ISA
/// names (generic, avx2, avx512, neon). Decided once. Throws std::invalid_argument for a name that is unknown, or that
/// this processor does not have.
Isa cpu_isa();

/// The filters as the kernels read them: fp32, in the orders that they need.
struct PackedDepthwise {
  std::array<std::int64_t, 3> kernel{};
  std::int64_t channels = 0;
  std::vector<float> by_channel;  // (C, taps)
  std::vector<float> by_tap;      // (taps, C rounded up to whole vectors)
  std::vector<float> bias;        // C rounded up to whole vectors; zeros where there is none
};

/// `weight` (C,1,kT,kH,kW) and `bias` (C, or null) are of the element type.
PackedDepthwise pack_depthwise(const std::array<std::int64_t, 3>& kernel, std::int64_t channels, ElementType type,
                               const void* weight, const void* bias);

/// tensors.weight and tensors.bias are not read: `packed` has them.
void depthwise_conv3d_cpu(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                          const DepthwiseConv3dTensors& tensors, const ParallelFor& parallel);

}  // namespace vidrt::kernels
