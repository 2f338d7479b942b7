// The only unit that is compiled for AMX (matmul_job.h).
#include "kernels/amx/matmul_job.h"
#include "kernels/amx/weight_panel.h"

namespace vidrt::kernels::amx {
namespace {

constexpr std::int64_t kPanelSteps = kPanelDepth / kTileDepth;
constexpr std::int64_t kRowStep = kMostTerms * kTileElements;

// Of float16's 11 bits two terms hold all, of bfloat16's 8 one does.
constexpr int terms_of(ElementType type) {
  if (type == ElementType::kFloat32) return kMostTerms;
  return type == ElementType::kFloat16 ? 2 : 1;
}

void split_rows(const MatMulJob& job, std::int64_t tile) {
  const std::int64_t inner = job.problem.inner;
  std::uint16_t* out = job.x_tiles + tile * job.steps * kRowStep;
  const std::int64_t rows = least(job.rows - tile * kTileSide, kTileSide);
  const float* const x = job.tensors.x + (job.first_row + tile * kTileSide) * inner;
  for (std::int64_t k = 0; k < inner; k += kTileDepth, out += kRowStep) {
    for (std::int64_t row = 0; row < kTileSide; ++row) {
      const std::int64_t count = row < rows ? inner - k : 0;  // zeros beyond X
      const std::int64_t offset = row < rows ? row * inner + k : 0;
      __m512i terms[kMostTerms];
      split<kMostTerms>({load16<ElementType::kFloat32>(x, offset, count),
                         load16<ElementType::kFloat32>(x, count > 16 ? offset + 16 : 0, count - 16)},
                        terms);
      for (int i = 0; i < kMostTerms; ++i) _mm512_store_si512(out + i * kTileElements + row * kTileDepth, terms[i]);
    }
  }
}

// Add to results (or begin them) what a panel's steps give. `stride`: floats from a row of the results to the next.
template <int kColumnTerms>
void accumulate(const std::uint16_t* rows, std::int64_t row_steps, const std::uint16_t* columns, std::int64_t steps,
                bool begin, float* y, std::int64_t stride) {
  if (begin) {
    zero_results();
  } else {
    load_results(y, stride);
  }
  constexpr std::int64_t kColumnStep = kColumnTerms * kTileElements;
  StepTiles tiles{{rows, rows + row_steps * kRowStep}, {columns, columns + steps * kColumnStep}};
  for (std::int64_t i = 0; i < steps; ++i) {
    multiply_step<kColumnTerms>(tiles);
    for (const std::uint16_t*& tile : tiles.rows) tile += kRowStep;
    for (const std::uint16_t*& tile : tiles.columns) tile += kColumnStep;
  }
  store_results(y, stride);
}

// A block over the edge of the results goes through memory of its own.
template <int kColumnTerms>
void accumulate_edge(const std::uint16_t* rows, std::int64_t row_steps, const std::uint16_t* columns,
                     std::int64_t steps, bool begin, float* y, std::int64_t stride, std::int64_t height,
                     std::int64_t width) {
  alignas(64) float whole[kBlockSide * kBlockSide] = {};
  for (std::int64_t i = 0; i < height && !begin; ++i) {
    for (std::int64_t j = 0; j < width; ++j) whole[i * kBlockSide + j] = y[i * stride + j];
  }
  accumulate<kColumnTerms>(rows, row_steps, columns, steps, begin, whole, kBlockSide);
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t j = 0; j < width; ++j) y[i * stride + j] = whole[i * kBlockSide + j];
  }
}

template <ElementType kType>
void multiply_panel(const MatMulJob& job, std::int64_t panel, std::int64_t begin, std::int64_t end,
                    std::uint16_t* panel_tiles) {
  constexpr int kColumnTerms = terms_of(kType);
  const MatMulProblem& problem = job.problem;
  const StoredMatrixView weight{job.tensors.weight, problem.inner, problem.columns, problem.transposed};
  const std::int64_t first_column = panel * kPanelColumns;
  const std::int64_t blocks = ceil_div(least(kPanelColumns, problem.columns - first_column), kBlockSide);
  const TileRegisters registers;
  for (std::int64_t step = 0; step < job.steps; step += kPanelSteps) {
    const std::int64_t steps = least(kPanelSteps, job.steps - step);
    for (std::int64_t column_tile = 0; column_tile < 2 * blocks; ++column_tile) {
      for (std::int64_t i = 0; i < steps; ++i) {
        pack_tile<kType, kColumnTerms>(weight, (step + i) * kTileDepth, first_column + column_tile * kTileSide,
                                       panel_tiles + (column_tile * steps + i) * kColumnTerms * kTileElements);
      }
    }
    for (std::int64_t pair = begin; pair < end; ++pair) {
      const std::uint16_t* const rows = job.x_tiles + (2 * pair * job.steps + step) * kRowStep;
      const std::int64_t height = least(kBlockSide, job.rows - pair * kBlockSide);
      for (std::int64_t block = 0; block < blocks; ++block) {
        const std::uint16_t* const columns = panel_tiles + 2 * block * steps * kColumnTerms * kTileElements;
        const std::int64_t column = first_column + block * kBlockSide;
        const std::int64_t width = least(kBlockSide, problem.columns - column);
        float* const y = job.tensors.y + (job.first_row + pair * kBlockSide) * problem.columns + column;
        if (height == kBlockSide && width == kBlockSide) {
          accumulate<kColumnTerms>(rows, job.steps, columns, steps, step == 0, y, problem.columns);
        } else {
          accumulate_edge<kColumnTerms>(rows, job.steps, columns, steps, step == 0, y, problem.columns, height, width);
        }
      }
    }
  }
}

void multiply(const MatMulJob& job, std::int64_t panel, std::int64_t begin, std::int64_t end,
              std::uint16_t* panel_tiles) {
  switch (job.problem.weight_type) {
    case ElementType::kFloat32:
      return multiply_panel<ElementType::kFloat32>(job, panel, begin, end, panel_tiles);
    case ElementType::kFloat16:
      return multiply_panel<ElementType::kFloat16>(job, panel, begin, end, panel_tiles);
    case ElementType::kBFloat16:
      return multiply_panel<ElementType::kBFloat16>(job, panel, begin, end, panel_tiles);
  }
}

}  // namespace

const TileKernels kTileKernels{split_rows, multiply};

}  // namespace vidrt::kernels::amx
