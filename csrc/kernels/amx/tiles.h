// Sums of products of bfloat16 tiles, where each factor is a sum of bfloat16 terms.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/amx/matmul_job.h"

namespace vidrt::kernels::amx {
namespace {

constexpr std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

/// The calling thread's tile registers, from construction to the end: eight of 16 rows of 64 bytes.
class TileRegisters {
 public:
  TileRegisters() {
    // The memory that LDTILECFG reads: palette, start row, 14 reserved bytes, bytes a row of each, rows of each.
    alignas(64) std::uint8_t memory[64] = {};
    memory[0] = 1;
    for (std::size_t tile = 0; tile < 8; ++tile) {
      memory[16 + 2 * tile] = 64;
      memory[48 + tile] = 16;
    }
    _tile_loadconfig(memory);
  }
  ~TileRegisters() { _tile_release(); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
};

struct TermPair {
  int row = 0;
  int column = 0;
};

struct TermPairs {
  std::size_t count = 0;
  TermPair pairs[kMostTerms * kMostTerms] = {};
};

/// The products of X's three terms and so many of W's: each term is 2^-8 of the one before, and products of terms i and
/// j are left out where i + j is 3 or more, which is below float32's rounding. In an order in which few tiles are
/// loaded anew.
constexpr TermPairs term_pairs(int column_terms) {
  TermPairs list;
  int loaded = 0;
  for (int column = column_terms - 1; column >= 0; --column) {
    const int first = loaded;
    list.pairs[list.count++] = {first, column};
    for (int row = kMostTerms - column - 1; row >= 0; --row) {
      if (row == first) continue;
      list.pairs[list.count++] = {row, column};
      loaded = row;
    }
  }
  return list;
}

/// Where the tiles of a step lie: two of rows, two of columns, of each the terms one after the other.
struct StepTiles {
  const std::uint16_t* rows[2];
  const std::uint16_t* columns[2];
};

// Tile registers: 0 to 3 hold the results, 4 and 5 rows, 6 and 7 columns. The numbers have to be literals.
template <int kColumnTerms, std::size_t kIndex>
inline void multiply_pair(const StepTiles& tiles) {
  constexpr TermPairs kPairs = term_pairs(kColumnTerms);
  constexpr TermPair kPair = kPairs.pairs[kIndex];
  constexpr TermPair kLast = kIndex == 0 ? TermPair{-1, -1} : kPairs.pairs[kIndex == 0 ? 0 : kIndex - 1];
  if constexpr (kPair.row != kLast.row) {
    _tile_loadd(4, tiles.rows[0] + kPair.row * kTileElements, 64);
    _tile_loadd(5, tiles.rows[1] + kPair.row * kTileElements, 64);
  }
  if constexpr (kPair.column != kLast.column) {
    _tile_loadd(6, tiles.columns[0] + kPair.column * kTileElements, 64);
    _tile_loadd(7, tiles.columns[1] + kPair.column * kTileElements, 64);
  }
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

template <int kColumnTerms, std::size_t... kIndices>
inline void multiply_pairs(const StepTiles& tiles, std::index_sequence<kIndices...>) {
  (multiply_pair<kColumnTerms, kIndices>(tiles), ...);
}

/// Add to the results (kBlockSide x kBlockSide) what kTileDepth elements give.
template <int kColumnTerms>
inline void multiply_step(const StepTiles& tiles) {
  multiply_pairs<kColumnTerms>(tiles, std::make_index_sequence<term_pairs(kColumnTerms).count>());
}

inline void zero_results() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

/// `stride`: floats from a row of the results to the next.
inline void load_results(const float* y, std::int64_t stride) {
  const auto bytes = static_cast<std::size_t>(stride) * sizeof(float);
  _tile_loadd(0, y, bytes);
  _tile_loadd(1, y + kTileSide, bytes);
  _tile_loadd(2, y + kTileSide * stride, bytes);
  _tile_loadd(3, y + kTileSide * stride + kTileSide, bytes);
}

inline void store_results(float* y, std::int64_t stride) {
  const auto bytes = static_cast<std::size_t>(stride) * sizeof(float);
  _tile_stored(0, y, bytes);
  _tile_stored(1, y + kTileSide, bytes);
  _tile_stored(2, y + kTileSide * stride, bytes);
  _tile_stored(3, y + kTileSide * stride + kTileSide, bytes);
}

}  // namespace
}  // namespace vidrt::kernels::amx
