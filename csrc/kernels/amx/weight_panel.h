// A part of a stored matrix as tiles.
#pragma once

#include "kernels/amx/bfloat16_terms.h"
#include "kernels/amx/tiles.h"

namespace vidrt::kernels::amx {
namespace {

/// A matrix as it is stored.
struct StoredMatrixView {
  const void* data = nullptr;
  std::int64_t inner = 0;
  std::int64_t columns = 0;
  bool transposed = false;  // (columns, inner)
};

// The terms' tiles of up to 16 columns and 32 elements from (inner `k`, column `n`) on, zeros beyond the matrix.
template <ElementType kType, int kTerms>
inline void pack_tile(const StoredMatrixView& matrix, std::int64_t k, std::int64_t n, std::uint16_t* tiles) {
  const std::int64_t columns = least(kTileSide, matrix.columns - n);
  const std::int64_t depth = least(kTileDepth, matrix.inner - k);
  if (matrix.transposed) {
    __m512i rows[kTerms][16] = {};
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t offset = (n + column) * matrix.inner + k;
      __m512i terms[kTerms];
      split<kTerms>({load16<kType>(matrix.data, offset, depth),
                     load16<kType>(matrix.data, depth > 16 ? offset + 16 : 0, depth - 16)},
                    terms);
      for (int i = 0; i < kTerms; ++i) rows[i][column] = terms[i];
    }
    for (int i = 0; i < kTerms; ++i) {
      transpose(rows[i]);
      for (int row = 0; row < 16; ++row) _mm512_store_si512(tiles + i * kTileElements + row * 32, rows[i][row]);
    }
    return;
  }
  for (std::int64_t pair = 0; pair < kTileSide; ++pair) {
    const std::int64_t offset = (k + 2 * pair) * matrix.columns + n;
    const std::int64_t even = 2 * pair < depth ? columns : 0;
    const std::int64_t odd = 2 * pair + 1 < depth ? columns : 0;
    __m512i terms[kTerms];
    split<kTerms>({load16<kType>(matrix.data, even > 0 ? offset : 0, even),
                   load16<kType>(matrix.data, odd > 0 ? offset + matrix.columns : 0, odd)},
                  terms);
    for (int i = 0; i < kTerms; ++i) {
      _mm512_store_si512(tiles + i * kTileElements + pair * 32, interleave(terms[i]));
    }
  }
}

}  // namespace
}  // namespace vidrt::kernels::amx
