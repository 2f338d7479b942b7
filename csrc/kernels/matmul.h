// Rows of float32 times a matrix of weights that is read as it is stored: float32, float16 or bfloat16.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv3d_types.h"
#include "kernels/cpu_isa.h"
#include "kernels/parallel.h"

namespace vidrt::kernels {

struct MatMulProblem {
  std::int64_t rows = 0;     // of X and Y
  std::int64_t inner = 0;    // columns of X
  std::int64_t columns = 0;  // of Y
  ElementType weight_type = ElementType::kFloat32;
  bool transposed = false;  // the weight is (columns, inner), as a linear layer's; else (inner, columns)
};

struct MatMulTensors {
  const float* x = nullptr;  // (rows, inner)
  const void* weight = nullptr;
  float* y = nullptr;  // (rows, columns)
  void* scratch = nullptr;
};

/// Bytes of MatMulTensors::scratch, which needs no alignment; about 64 MiB at most.
std::size_t matmul_scratch_bytes(const MatMulProblem& problem, Isa isa = cpu_isa());

/// Y = X·W. With AMX tiles (Isa::kAmx); with any other instruction set by plain loops, which are there to be right and
/// not to be fast. `isa` is one that this processor has.
void matmul_cpu(const MatMulProblem& problem, const MatMulTensors& tensors, const ParallelFor& parallel,
                Isa isa = cpu_isa());

}  // namespace vidrt::kernels
