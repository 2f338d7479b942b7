#include "runtime/decoder_caches.h"

#include <string>
#include <vector>

#include "runtime/symbols.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// Two latent sizes: dimensions that agree at both are the same product of the same symbol.
std::vector<SymbolValues> cache_symbols(int spatial_ratio) {
  std::vector<SymbolValues> samples;
  for (const std::int64_t scale : {1, 2}) {
    const std::int64_t h = 3 * scale;
    const std::int64_t w = 5 * scale;
    samples.push_back({{"B", 1}, {"h", h}, {"w", w}, {"H", h * spatial_ratio}, {"W", w * spatial_ratio}});
  }
  return samples;
}

void check_cache(const TensorSpec& cache, const TensorSpec& model, const std::string& name,
                 const std::vector<SymbolValues>& samples, const JsonPlace& place) {
  if (cache.name != name) place.key("name").fail(describe(cache.name), describe(name));
  if (cache.dtype != model.dtype) place.key("dtype").fail(dtype_name(cache.dtype), dtype_name(model.dtype));
  for (const SymbolValues& sample : samples) {
    Shape shape;
    Shape expected;
    try {
      shape = evaluate_shape(cache, sample);
      expected = evaluate_shape(model, sample);
      element_count(shape);
    } catch (const Error&) {
      place.key("shape").fail("a dimension that is not known before decoding, or too large",
                              "numbers and products as h*4 of one of B, h, w, H, W with a number");
    }
    if (shape != expected) {
      place.key("shape").fail(shape_string(shape) + " at h = " + std::to_string(sample.at("h")),
                              shape_string(expected) + ", as " + model.name + " of vae_decoder_first");
    }
  }
}

struct CacheList {
  const std::vector<TensorSpec>& specs;  // one tensor, then the caches
  std::string prefix;
  JsonPlace place;
};

void check_list(const CacheList& list, const std::vector<TensorSpec>& model, const std::vector<SymbolValues>& samples) {
  if (list.specs.size() != model.size()) {
    list.place.fail(std::to_string(list.specs.size() - 1) + " caches",
                    std::to_string(model.size() - 1) + ", as vae_decoder_first gives");
  }
  for (std::size_t i = 1; i < model.size(); ++i) {
    check_cache(list.specs[i], model[i], list.prefix + std::to_string(i - 1), samples, list.place.index(i));
  }
}

}  // namespace

void check_decoder_caches(const Manifest& manifest, const JsonPlace& place) {
  const std::vector<Variant>& first = manifest.modules.at("vae_decoder_first").variants;
  const std::vector<Variant>& next = manifest.modules.at("vae_decoder_next").variants;
  const JsonPlace next_place = place.key("vae_decoder_next").key("variants");
  if (next.size() != first.size()) {
    next_place.fail(std::to_string(next.size()) + " variants",
                    std::to_string(first.size()) + ", the same as vae_decoder_first has");
  }
  const std::vector<SymbolValues> samples = cache_symbols(manifest.vae.spatial_ratio);
  for (std::size_t i = 0; i < first.size(); ++i) {
    // Each step's variant is chosen by itself; alike in these, the choice is the same.
    if (next[i].id != first[i].id || next[i].backends != first[i].backends ||
        next[i].custom_ops != first[i].custom_ops) {
      next_place.index(i).fail("variant '" + next[i].id + "'",
                               "the id, backends and custom_ops of vae_decoder_first's '" + first[i].id + "'");
    }
    const JsonPlace first_tensors = place.key("vae_decoder_first").key("variants").index(i).key("tensors");
    const JsonPlace next_tensors = next_place.index(i).key("tensors");
    const std::vector<TensorSpec>& model = first[i].outputs;
    check_list({first[i].outputs, "cache_out_", first_tensors.key("outputs")}, model, samples);
    check_list({next[i].inputs, "cache_in_", next_tensors.key("inputs")}, model, samples);
    check_list({next[i].outputs, "cache_out_", next_tensors.key("outputs")}, model, samples);
  }
}

}  // namespace vidrt
