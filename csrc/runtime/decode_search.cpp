#include "runtime/decode_search.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "runtime/decode_planner.h"
#include "runtime/weight_streaming.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// The ways to decode latents, the best first, until one fits.
class DecodeSearch {
 public:
  DecodeSearch(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved, int chunk,
               const MemoryLimit& limit)
      : manifest_(manifest), modules_(modules), resolved_(resolved), limit_(limit) {
    plan_ = plan_of_sizes(resolved);
    plan_.guidance = "off";
    plan_.decode_chunk = decode_chunk(manifest.vae, plan_.latent_frames, chunk);
  }

  /// Nothing where none fits. Throws BackendError where nothing can be loaded that takes the sizes.
  std::optional<GenerationLayout> run() {
    for (const PlannedTiles& tiles : tilings(resolved_)) {
      plan_.tiles = tiles;
      try {
        if (std::optional<GenerationLayout> layout = fitting(); layout.has_value()) return layout;
      } catch (const BackendError&) {
        // Whole frames can be decoded, but for their memory: what does not take tiles is not to blame.
        if (least_ == kNone) throw;
      }
    }
    return std::nullopt;
  }

  /// Of what the way takes that takes least, once run() has found none that fits.
  std::uint64_t least() const { return least_; }

 private:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

  std::optional<GenerationLayout> fitting() {
    const auto lay_out = [&](const StreamedWeights& streamed) {
      LayoutBuilder builder(streamed);
      builder.add("latents", DType::kFloat32,
                  {1, manifest_.vae.latent_channels, plan_.latent_frames, plan_.latent_height, plan_.latent_width},
                  kPlanDecodeFirst, kPlanDecodeNext);
      const std::uint64_t weights = add_decoder(builder, manifest_, modules_, plan_);
      plan_.weight_bytes = plan_.residency == "all" ? weights : 0;
      return builder.finish(plan_, modules_.backend().device());
    };
    for (const char* residency : {"all", "stage_by_stage"}) {
      plan_.residency = residency;
      GenerationLayout layout = lay_out({});
      least_ = std::min(least_, layout.total_bytes());
      if (limit_.holds(layout.total_bytes())) return layout;
    }
    plan_.residency = "stream";
    return stream_weights(lay_out, limit_.bytes, &least_);
  }

  const Manifest& manifest_;
  const ModuleSet& modules_;
  const ResolvedOptions& resolved_;
  const MemoryLimit& limit_;
  GenerationPlan plan_;
  std::uint64_t least_ = kNone;
};

}  // namespace

GenerationLayout plan_decode(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                             int chunk, const MemoryLimit& limit) {
  DecodeSearch search(manifest, modules, resolved, chunk, limit);
  if (std::optional<GenerationLayout> layout = search.run(); layout.has_value()) return *std::move(layout);
  const std::string tiles = tiles_remedy(resolved, [&](const ResolvedOptions& tiled) {
    return DecodeSearch(manifest, modules, tiled, chunk, limit).run().has_value();
  });
  fail_over_limit("decoding these latents", search.least(), limit, tiles + "decode smaller or fewer latents");
}

}  // namespace vidrt
