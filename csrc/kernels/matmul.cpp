#include "kernels/matmul.h"

#include <algorithm>
#include <vector>

#include "kernels/half_types.h"
#if defined(__x86_64__)
#include "kernels/amx/tile_matmul.h"
#endif

namespace vidrt::kernels {
namespace {

template <typename T>
void add_product(const MatMulProblem& problem, const float* x, const T* weight, float* y) {
  const std::int64_t row_step = problem.transposed ? 1 : problem.columns;
  const std::int64_t column_step = problem.transposed ? problem.inner : 1;
  for (std::int64_t column = 0; column < problem.columns; ++column) {
    float sum = 0.0F;
    for (std::int64_t k = 0; k < problem.inner; ++k) {
      sum += x[k] * to_float(weight[k * row_step + column * column_step]);
    }
    y[column] = sum;
  }
}

void multiply_row(const MatMulProblem& problem, const float* x, const void* weight, float* y) {
  switch (problem.weight_type) {
    case ElementType::kFloat32:
      return add_product(problem, x, static_cast<const float*>(weight), y);
    case ElementType::kFloat16:
      return add_product(problem, x, static_cast<const Float16*>(weight), y);
    case ElementType::kBFloat16:
      return add_product(problem, x, static_cast<const BFloat16*>(weight), y);
  }
}

}  // namespace

std::size_t matmul_scratch_bytes(const MatMulProblem& problem, Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAmx) return amx::matmul_scratch_bytes(problem);
#endif
  (void)problem;
  (void)isa;
  return 0;
}

void matmul_cpu(const MatMulProblem& problem, const MatMulTensors& tensors, const ParallelFor& parallel, Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAmx) return amx::matmul(problem, tensors, parallel);
#endif
  (void)isa;
  parallel(static_cast<std::size_t>(problem.rows), [&](std::size_t index) {
    const auto row = static_cast<std::int64_t>(index);
    multiply_row(problem, tensors.x + row * problem.inner, tensors.weight, tensors.y + row * problem.columns);
  });
}

}  // namespace vidrt::kernels
