// Sums of 3x3 convolutions on the processor.
#pragma once

#include <cstddef>

#include "kernels/conv_sum.h"
#include "kernels/cpu_isa.h"
#include "kernels/parallel.h"

namespace vidrt::kernels {

/// Bytes of ConvSumTensors::scratch; 8 MiB or less, but for frames thousands of pixels wide, and 14 KiB for each output.
std::size_t conv_sum_scratch_bytes(const ConvSumProblem& problem, Isa isa = cpu_isa());

/// Y = bias + sum of X * W over the terms, by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, 2016): a
/// quarter of the products that the definition takes. For normal X, results are within 2e-6 of the sum of the sizes of
/// bias and weights. `isa` is one that this processor has.
void conv_sum_cpu(const ConvSumProblem& problem, const ConvSumTensors& tensors, const ParallelFor& parallel,
                  Isa isa = cpu_isa());

}  // namespace vidrt::kernels
