#include "runtime/tile_caches.h"

#include <cstdint>
#include <utility>

namespace vidrt {
namespace {

constexpr char kPrefix[] = "cache_out_";

// Places are aligned as tensors of the plan are.
std::size_t pitch_of(const TensorView& cache) {
  return (cache.bytes() + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

}  // namespace

std::vector<TensorSpec> cache_specs(const Variant& first_step) {
  std::vector<TensorSpec> specs;
  for (const TensorSpec& spec : first_step.outputs) {
    if (spec.name.rfind(kPrefix, 0) == 0) specs.push_back(spec);
  }
  return specs;
}

void add_tile_caches(LayoutBuilder& builder, const std::vector<TensorSpec>& specs, const SymbolValues& symbols,
                     int tiles, bool has_later) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const TensorView one{nullptr, specs[i].dtype, evaluate_shape(specs[i], symbols)};
    const std::size_t before_last = static_cast<std::size_t>(tiles - 1) * pitch_of(one) / dtype_bytes(one.dtype);
    const Shape all{static_cast<std::int64_t>(before_last) + one.elements()};
    const std::string index = std::to_string(i);
    builder.add("cache_a_" + index, one.dtype, all, kPlanDecodeFirst, kPlanDecodeNext);
    if (has_later) builder.add("cache_b_" + index, one.dtype, one.shape, kPlanDecodeNext, kPlanDecodeNext);
  }
}

TileCaches::TileCaches(const ArenaTensors& tensors, const std::vector<TensorSpec>& specs, const SymbolValues& symbols,
                       int tiles)
    : free_(tiles) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::string index = std::to_string(i);
    TensorView used = tensors["cache_a_" + index];
    used.shape = evaluate_shape(specs[i], symbols);
    const bool has_later = tensors.has("cache_b_" + index);
    caches_.push_back({used, has_later ? tensors["cache_b_" + index] : TensorView{}, pitch_of(used)});
  }
  for (int tile = 0; tile < tiles; ++tile) places_.push_back(tile);
}

void TileCaches::bind(const char* prefix, int place, std::vector<NamedTensor>* tensors) const {
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    const Cache& cache = caches_[i];
    TensorView view = cache.free;
    if (place != static_cast<int>(places_.size())) {
      view = cache.used;
      view.data = view.as<std::byte>() + static_cast<std::size_t>(place) * cache.pitch;
    }
    tensors->push_back({prefix + std::to_string(i), view});
  }
}

void TileCaches::bind_first(int tile, std::vector<NamedTensor>* outputs) const {
  bind(kPrefix, places_[static_cast<std::size_t>(tile)], outputs);
}

void TileCaches::bind_next(int tile, std::vector<NamedTensor>* inputs, std::vector<NamedTensor>* outputs) {
  int& own = places_[static_cast<std::size_t>(tile)];
  bind("cache_in_", own, inputs);
  bind(kPrefix, free_, outputs);
  std::swap(own, free_);
}

}  // namespace vidrt
