// Rows of X are split into bfloat16 tiles once, W a panel at a time by the thread that multiplies by it: W's bytes are
// read from where they are stored, and no packed copy of them is kept. With thousands of rows splitting W is a few
// percent of the work, with few rows it costs less than reading float32 would.
#include "kernels/amx/tile_matmul.h"

#include <algorithm>
#include <cstdint>

#include "kernels/amx/matmul_job.h"
#include "kernels/cpu/scratch_pool.h"

namespace vidrt::kernels::amx {
namespace {

constexpr std::size_t kScratchLimit = std::size_t{64} << 20U;

// Of a pair of tiles of rows: 32 rows of X, split.
std::size_t pair_bytes(const MatMulProblem& problem) {
  return static_cast<std::size_t>(2 * ceil_div(problem.inner, kTileDepth) * kMostTerms * kTileElements) *
         sizeof(std::uint16_t);
}

// How many are split and multiplied at a time.
std::int64_t pairs_at_once(const MatMulProblem& problem) {
  const std::int64_t all = ceil_div(problem.rows, kBlockSide);
  if (all == 0 || problem.inner == 0) return all;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(kScratchLimit / pair_bytes(problem)), 1, all);
}

}  // namespace

std::size_t matmul_scratch_bytes(const MatMulProblem& problem) {
  return static_cast<std::size_t>(pairs_at_once(problem)) * pair_bytes(problem) + kLineFloats * sizeof(float);
}

void matmul(const MatMulProblem& problem, const MatMulTensors& tensors, const ParallelFor& parallel) {
  if (problem.inner == 0) {
    std::fill_n(tensors.y, problem.rows * problem.columns, 0.0F);
    return;
  }
  ScratchPool panels(static_cast<std::size_t>(kPanelElements) / 2, parallel.threads);
  MatMulJob job;
  job.problem = problem;
  job.tensors = tensors;
  job.steps = ceil_div(problem.inner, kTileDepth);
  job.x_tiles = reinterpret_cast<std::uint16_t*>(first_line(tensors.scratch));
  const std::int64_t at_once = pairs_at_once(problem) * kBlockSide;
  const std::int64_t column_panels = ceil_div(problem.columns, kPanelColumns);
  for (job.first_row = 0; job.first_row < problem.rows; job.first_row += at_once) {
    job.rows = std::min(at_once, problem.rows - job.first_row);
    const std::int64_t pairs = ceil_div(job.rows, kBlockSide);
    parallel(static_cast<std::size_t>(2 * pairs),
             [&](std::size_t tile) { kTileKernels.split_rows(job, static_cast<std::int64_t>(tile)); });
    // Where panels are few, rows are shared out as well, and W is split more than once.
    const std::int64_t shares = std::min(pairs, ceil_div(2 * parallel.threads, column_panels));
    parallel(static_cast<std::size_t>(column_panels * shares), [&](std::size_t index) {
      const auto unit = static_cast<std::int64_t>(index);
      const std::int64_t share = unit % shares;
      const ScratchPool::Lease lease(panels);
      kTileKernels.multiply(job, unit / shares, pairs * share / shares, pairs * (share + 1) / shares,
                            reinterpret_cast<std::uint16_t*>(lease.floats()));
    });
  }
}

}  // namespace vidrt::kernels::amx
