// The caches of a causal decoder's tiles.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/layout_builder.h"
#include "runtime/session.h"
#include "runtime/symbols.h"

namespace vidrt {

/// The caches of one tile, from what the first step of a decoder gives.
std::vector<TensorSpec> cache_specs(const Variant& first_step);

/// Add room for the caches of `tiles` tiles, of which `symbols` are the sizes: of each cache a tensor with one place
/// for every tile and, where there are later steps, another with the place that the next run writes.
void add_tile_caches(LayoutBuilder& builder, const std::vector<TensorSpec>& specs, const SymbolValues& symbols,
                     int tiles, bool has_later);

/// Which place has whose caches. A run reads its tile's place and writes the free one, and the place that it read is
/// the next free one: no cache is ever copied, and all tiles together have but one place more than they are.
class TileCaches {
 public:
  /// `tensors` hold what add_tile_caches() asked for.
  TileCaches(const ArenaTensors& tensors, const std::vector<TensorSpec>& specs, const SymbolValues& symbols, int tiles);

  /// The outputs of a tile's first step.
  void bind_first(int tile, std::vector<NamedTensor>* outputs) const;
  /// Inputs and outputs of a later step of a tile, whose caches are the outputs from then on.
  void bind_next(int tile, std::vector<NamedTensor>* inputs, std::vector<NamedTensor>* outputs);

 private:
  void bind(const char* prefix, int place, std::vector<NamedTensor>* tensors) const;

  struct Cache {
    TensorView used;  // of the first tile
    TensorView free;
    std::size_t pitch;  // bytes from a place to the next
  };
  std::vector<Cache> caches_;
  std::vector<int> places_;  // of the tiles
  int free_;                 // the last is that of the other tensor
};

}  // namespace vidrt
