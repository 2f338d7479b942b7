// A product as the tiles' translation unit is told it. That unit is compiled for AMX: it has internal linkage and
// instantiates nothing of the standard library, or the linker might keep its copy of a shared function for everybody.
#pragma once

#include <cstdint>

#include "kernels/matmul.h"

namespace vidrt::kernels::amx {

constexpr std::int64_t kTileSide = 16;                          // rows of a tile of X, columns of a tile of W
constexpr std::int64_t kTileDepth = 32;                         // elements of both that one instruction multiplies
constexpr std::int64_t kTileElements = kTileSide * kTileDepth;  // bfloat16
constexpr std::int64_t kBlockSide = 2 * kTileSide;              // of the results that registers hold
constexpr std::int64_t kPanelColumns = 256;
constexpr std::int64_t kPanelDepth = 512;  // a panel of three terms is 768 KiB: it stays in the second cache
constexpr int kMostTerms = 3;              // bfloat16 that a number is the sum of: float32 has 24 bits, and they have 8
constexpr std::int64_t kPanelElements = kPanelColumns * kPanelDepth * kMostTerms;  // bfloat16

struct MatMulJob {
  MatMulProblem problem;
  MatMulTensors tensors;
  std::int64_t first_row = 0;  // of the rows that are multiplied at a time
  std::int64_t rows = 0;
  std::int64_t steps = 0;  // tiles of X after each other in a row
  // Of X: 16 rows after each other, of these 32 elements after each other, of these kMostTerms.
  std::uint16_t* x_tiles = nullptr;
};

struct TileKernels {
  /// Split 16 rows of X into tiles.
  void (*split_rows)(const MatMulJob& job, std::int64_t tile);
  /// The results of pairs [begin, end) of tiles of rows in a panel's columns; `panel_tiles` has kPanelElements, 64-byte
  /// aligned.
  void (*multiply)(const MatMulJob& job, std::int64_t panel, std::int64_t begin, std::int64_t end,
                   std::uint16_t* panel_tiles);
};

extern const TileKernels kTileKernels;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace vidrt::kernels::amx
