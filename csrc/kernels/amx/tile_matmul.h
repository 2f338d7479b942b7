// Products by the tiles of AMX (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18).
#pragma once

#include <cstddef>

#include "kernels/matmul.h"

namespace vidrt::kernels::amx {

std::size_t matmul_scratch_bytes(const MatMulProblem& problem);
void matmul(const MatMulProblem& problem, const MatMulTensors& tensors, const ParallelFor& parallel);

}  // namespace vidrt::kernels::amx
