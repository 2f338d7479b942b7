// Rows times stored matrices, by every instruction set that differs in it, against sums in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/matmul.h"
#include "support/stored_weight.h"
#include "support/threads.h"

namespace vidrt::kernels::testing {
namespace {

constexpr double kTolerance = 4e-7;  // of the sum of the products' sizes: the rounding of a few thousand sums

StoredWeight make_weight(const MatMulProblem& problem, std::mt19937* random) {
  std::normal_distribution<float> normal;
  StoredWeight weight;
  for (std::int64_t i = 0; i < problem.inner * problem.columns; ++i) {
    weight.add(problem.weight_type, normal(*random));
  }
  return weight;
}

std::vector<float> make_rows(const MatMulProblem& problem, std::mt19937* random) {
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(problem.rows * problem.inner));
  for (float& value : x) value = normal(*random);
  return x;
}

std::vector<float> multiply(const MatMulProblem& problem, const std::vector<float>& x, const StoredWeight& weight,
                            Isa isa, const ParallelFor& parallel = sequential()) {
  std::vector<float> y(static_cast<std::size_t>(problem.rows * problem.columns), NAN);
  // One byte off: neither scratch nor a weight of one byte more has to be aligned.
  std::vector<std::uint8_t> scratch(matmul_scratch_bytes(problem, isa) + 1);
  MatMulTensors tensors;
  tensors.x = x.data();
  tensors.weight = weight.bytes.data();
  tensors.y = y.data();
  tensors.scratch = scratch.data() + 1;
  matmul_cpu(problem, tensors, parallel, isa);
  return y;
}

void expect_product(const MatMulProblem& problem, const std::vector<float>& x, const StoredWeight& weight,
                    const std::vector<float>& y) {
  for (std::int64_t row = 0; row < problem.rows; ++row) {
    for (std::int64_t column = 0; column < problem.columns; ++column) {
      double sum = 0.0;
      double size = 0.0;
      for (std::int64_t k = 0; k < problem.inner; ++k) {
        const std::int64_t place = problem.transposed ? column * problem.inner + k : k * problem.columns + column;
        const double product = static_cast<double>(x[static_cast<std::size_t>(row * problem.inner + k)]) *
                               static_cast<double>(weight.values[static_cast<std::size_t>(place)]);
        sum += product;
        size += std::abs(product);
      }
      const double got = y[static_cast<std::size_t>(row * problem.columns + column)];
      ASSERT_LE(std::abs(got - sum), kTolerance * size) << "at row " << row << ", column " << column;
    }
  }
}

class MatMul : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (kernels_of(GetParam()) == nullptr) GTEST_SKIP() << "this processor has no " << to_string(GetParam());
  }

  void expect_right(MatMulProblem problem, const ParallelFor& parallel = sequential()) {
    for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16}) {
      for (const bool transposed : {false, true}) {
        problem.weight_type = type;
        problem.transposed = transposed;
        SCOPED_TRACE(std::to_string(problem.rows) + "x" + std::to_string(problem.inner) + "x" +
                     std::to_string(problem.columns) + " type " + std::to_string(static_cast<int>(type)) +
                     (transposed ? " transposed" : ""));
        const StoredWeight weight = make_weight(problem, &random_);
        const std::vector<float> x = make_rows(problem, &random_);
        expect_product(problem, x, weight, multiply(problem, x, weight, GetParam(), parallel));
      }
    }
  }

  std::mt19937 random_{7};
};

MatMulProblem problem_of(std::int64_t rows, std::int64_t inner, std::int64_t columns) {
  MatMulProblem problem;
  problem.rows = rows;
  problem.inner = inner;
  problem.columns = columns;
  return problem;
}

TEST_P(MatMul, EveryTypeAndLayoutAtSizesThatFillNoTile) {
  for (const auto& [rows, inner, columns] :
       {std::array<std::int64_t, 3>{1, 1, 1}, {1, 33, 17}, {2, 31, 129}, {17, 64, 16}, {33, 100, 31}, {32, 32, 32}}) {
    expect_right(problem_of(rows, inner, columns));
  }
}

TEST_P(MatMul, SumsOverSeveralPanels) { expect_right(problem_of(35, 1100, 150)); }

TEST_P(MatMul, SharesRowsAmongThreads) { expect_right(problem_of(100, 70, 140), threads(3)); }

TEST_P(MatMul, NoRowsAreNoWork) {
  const MatMulProblem problem = problem_of(0, 8, 8);
  const StoredWeight weight = make_weight(problem, &random_);
  EXPECT_TRUE(multiply(problem, {}, weight, GetParam()).empty());
}

#if defined(__x86_64__)
TEST(MatMulScratch, HasABoundWhateverTheRows) {
  if (kernels_of(Isa::kAmx) == nullptr) GTEST_SKIP() << "this processor has no amx";
  MatMulProblem problem = problem_of(32760, 8960, 1536);
  EXPECT_LE(matmul_scratch_bytes(problem, Isa::kAmx), (std::size_t{64} << 20U) + 64);
  // Rows in several goes, and the last not whole.
  problem = problem_of(1500, 8960, 16);
  std::mt19937 random(3);
  const StoredWeight weight = make_weight(problem, &random);
  const std::vector<float> x = make_rows(problem, &random);
  expect_product(problem, x, weight, multiply(problem, x, weight, Isa::kAmx));
}
INSTANTIATE_TEST_SUITE_P(Isa, MatMul, ::testing::Values(Isa::kGeneric, Isa::kAmx),
                         [](const auto& info) { return to_string(info.param); });
#else
INSTANTIATE_TEST_SUITE_P(Isa, MatMul, ::testing::Values(Isa::kGeneric),
                         [](const auto& info) { return to_string(info.param); });
#endif

}  // namespace
}  // namespace vidrt::kernels::testing
