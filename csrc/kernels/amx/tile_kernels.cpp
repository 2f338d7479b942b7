// The only unit that is compiled for AMX (matmul_job.h).
#include "kernels/amx/matmul_job.h"
#include "kernels/amx/weight_panel.h"

namespace vidrt::kernels::amx {
namespace {

constexpr std::int64_t kPanelSteps = kPanelDepth / kTileDepth;

template <typename T>
void split_rows(const MatMulJob& job, std::int64_t tile) {
  const std::int64_t inner = job.problem.inner;
  std::uint16_t* out = job.x_tiles + tile * job.steps * T::kRows * kTileElements;
  const std::int64_t rows = least(job.rows - tile * kTileSide, kTileSide);
  const float* const x = job.tensors.x + (job.first_row + tile * kTileSide) * inner;
  for (std::int64_t k = 0; k < inner; k += kTileDepth, out += T::kRows * kTileElements) {
    for (std::int64_t row = 0; row < kTileSide; ++row) {
      const std::int64_t count = row < rows ? inner - k : 0;  // zeros beyond X
      const std::int64_t offset = row < rows ? row * inner + k : 0;
      __m512i terms[T::kRows];
      split<T::kRows>({load16<ElementType::kFloat32>(x, offset, count),
                       load16<ElementType::kFloat32>(x, count > 16 ? offset + 16 : 0, count - 16)},
                      terms);
      for (int i = 0; i < T::kRows; ++i) _mm512_store_si512(out + i * kTileElements + row * kTileDepth, terms[i]);
    }
  }
}

// Add to results (or begin them) what a panel's steps give. `stride`: floats from a row of the results to the next.
template <typename T>
void accumulate(const std::uint16_t* rows, std::int64_t row_steps, const std::uint16_t* columns, std::int64_t steps,
                bool begin, float* y, std::int64_t stride) {
  if (begin) {
    zero_results();
  } else {
    load_results(y, stride);
  }
  constexpr std::int64_t kRowStep = T::kRows * kTileElements;
  constexpr std::int64_t kColumnStep = T::kColumns * kTileElements;
  StepTiles tiles{{rows, rows + row_steps * kRowStep}, {columns, columns + steps * kColumnStep}};
  for (std::int64_t i = 0; i < steps; ++i) {
    multiply_step<T>(tiles);
    for (const std::uint16_t*& tile : tiles.rows) tile += kRowStep;
    for (const std::uint16_t*& tile : tiles.columns) tile += kColumnStep;
  }
  store_results(y, stride);
}

// A block over the edge of the results goes through memory of its own.
template <typename T>
void accumulate_edge(const std::uint16_t* rows, std::int64_t row_steps, const std::uint16_t* columns,
                     std::int64_t steps, bool begin, float* y, std::int64_t stride, std::int64_t height,
                     std::int64_t width) {
  alignas(64) float whole[kBlockSide * kBlockSide] = {};
  for (std::int64_t i = 0; i < height && !begin; ++i) {
    for (std::int64_t j = 0; j < width; ++j) whole[i * kBlockSide + j] = y[i * stride + j];
  }
  accumulate<T>(rows, row_steps, columns, steps, begin, whole, kBlockSide);
  for (std::int64_t i = 0; i < height; ++i) {
    for (std::int64_t j = 0; j < width; ++j) y[i * stride + j] = whole[i * kBlockSide + j];
  }
}

template <typename T, ElementType kType>
void multiply_panel(const MatMulJob& job, std::int64_t panel, std::int64_t begin, std::int64_t end,
                    std::uint16_t* panel_tiles) {
  const MatMulProblem& problem = job.problem;
  const StoredMatrixView weight{job.tensors.weight, problem.inner, problem.columns, problem.transposed};
  const std::int64_t first_column = panel * kPanelColumns;
  const std::int64_t blocks = ceil_div(least(kPanelColumns, problem.columns - first_column), kBlockSide);
  const TileRegisters registers;
  for (std::int64_t step = 0; step < job.steps; step += kPanelSteps) {
    const std::int64_t steps = least(kPanelSteps, job.steps - step);
    for (std::int64_t column_tile = 0; column_tile < 2 * blocks; ++column_tile) {
      for (std::int64_t i = 0; i < steps; ++i) {
        pack_tile<kType, T::kColumns>(weight, (step + i) * kTileDepth, first_column + column_tile * kTileSide,
                                      panel_tiles + (column_tile * steps + i) * T::kColumns * kTileElements);
      }
    }
    for (std::int64_t pair = begin; pair < end; ++pair) {
      const std::uint16_t* const rows = job.x_tiles + (2 * pair * job.steps + step) * T::kRows * kTileElements;
      const std::int64_t height = least(kBlockSide, job.rows - pair * kBlockSide);
      for (std::int64_t block = 0; block < blocks; ++block) {
        const std::uint16_t* const columns = panel_tiles + 2 * block * steps * T::kColumns * kTileElements;
        const std::int64_t column = first_column + block * kBlockSide;
        const std::int64_t width = least(kBlockSide, problem.columns - column);
        float* const y = job.tensors.y + (job.first_row + pair * kBlockSide) * problem.columns + column;
        if (height == kBlockSide && width == kBlockSide) {
          accumulate<T>(rows, job.steps, columns, steps, step == 0, y, problem.columns);
        } else {
          accumulate_edge<T>(rows, job.steps, columns, steps, step == 0, y, problem.columns, height, width);
        }
      }
    }
  }
}

// A type's terms: of float16's 11 bits two hold all, of bfloat16's 8 one does.
template <typename F>
void with_terms(ElementType type, const F& f) {
  switch (type) {
    case ElementType::kFloat32:
      return f.template run<Terms<3>, ElementType::kFloat32>();
    case ElementType::kFloat16:
      return f.template run<Terms<2>, ElementType::kFloat16>();
    case ElementType::kBFloat16:
      return f.template run<Terms<1>, ElementType::kBFloat16>();
  }
}

struct SplitRows {
  const MatMulJob& job;
  std::int64_t tile;

  template <typename T, ElementType>
  void run() const {
    split_rows<T>(job, tile);
  }
};

struct MultiplyPanel {
  const MatMulJob& job;
  std::int64_t panel;
  std::int64_t begin;
  std::int64_t end;
  std::uint16_t* panel_tiles;

  template <typename T, ElementType kType>
  void run() const {
    multiply_panel<T, kType>(job, panel, begin, end, panel_tiles);
  }
};

}  // namespace

const TileKernels kTileKernels{
    [](const MatMulJob& job, std::int64_t tile) {
      with_terms(job.problem.weight_type, SplitRows{job, tile});
    },
    [](const MatMulJob& job, std::int64_t panel, std::int64_t begin, std::int64_t end, std::uint16_t* panel_tiles) {
      with_terms(job.problem.weight_type, MultiplyPanel{job, panel, begin, end, panel_tiles});
    }};

}  // namespace vidrt::kernels::amx
