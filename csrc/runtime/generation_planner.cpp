#include "runtime/generation_planner.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/decode_planner.h"
#include "runtime/limit_check.h"
#include "runtime/symbols.h"
#include "runtime/vae_tiling.h"
#include "runtime/weight_streaming.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// Prompts are encoded one by one.
const ModuleSizes kTextEncoderSizes{{"batch", {1, 1}}};

std::int64_t embeds_dim(const Variant& denoiser) {
  const TensorSpec* embeds = find_tensor(denoiser.inputs, "text_embeds");
  return evaluate_dimension(embeds->shape.at(2), {});
}

// An image, or a frame of a clip, the latents that it becomes and what lies between. Returns the bytes of the encoder's
// weights.
std::uint64_t add_image_encoder(LayoutBuilder& builder, const Manifest& manifest, const ModuleSet& modules,
                                const GenerationPlan& plan) {
  const bool has_image = plan.image_conditioning != "none";
  if (!has_image && plan.strength == 0.0) return 0;
  builder.add("image", DType::kFloat32, {1, 3, 1, plan.height, plan.width}, kPlanEncodeImage, kPlanEncodeImage);
  // An image's are put into the latents before every run of the denoiser, and after the last step; those of frames go
  // to the host one after another.
  builder.add("condition", DType::kFloat32, {1, manifest.vae.latent_channels, 1, plan.latent_height, plan.latent_width},
              kPlanEncodeImage, has_image ? kPlanDenoise : kPlanEncodeImage);
  return builder.add_module(
      modules, "vae_encoder",
      {{"height", {plan.height, plan.height}}, {"width", {plan.width, plan.width}}, {"batch", {1, 1}}},
      kPlanEncodeImage);
}

void add_denoise_tensors(LayoutBuilder& builder, const Manifest& manifest, const Variant& denoiser,
                         const GenerationPlan& plan, const SchedulerTable& table) {
  const std::int64_t prompts = plan.guidance == "off" ? 1 : 2;
  const std::int64_t batch = plan.guidance == "batched" ? 2 : 1;
  const Shape latents{1, manifest.vae.latent_channels, plan.latent_frames, plan.latent_height, plan.latent_width};
  Shape batched = latents;
  batched[0] = batch;
  Shape predictions = latents;
  predictions[0] = prompts;
  // Row 0 of `latents` is the sample itself; it lives on as the decoder's input.
  builder.add("latents", DType::kFloat32, batched, kPlanDenoise, kPlanDecodeNext);
  builder.add("prediction", DType::kFloat32, predictions, kPlanDenoise, kPlanDenoise);
  builder.add("timestep", DType::kFloat32, {batch, plan.latent_frames}, kPlanDenoise, kPlanDenoise);
  builder.add("text_embeds", DType::kFloat32, {prompts, manifest.text_length, embeds_dim(denoiser)}, kPlanDenoise,
              kPlanDenoise);
  for (const char* name : {"text_mask", "text_counts"}) {
    const TensorSpec* spec = find_tensor(denoiser.inputs, name);
    if (spec == nullptr) continue;
    builder.add(name, spec->dtype, {prompts, manifest.text_length}, kPlanDenoise, kPlanDenoise);
  }
  if (plan.step_cache > 0.0) {
    builder.add("last_sample", DType::kFloat32, latents, kPlanDenoise, kPlanDenoise);
    builder.add("last_prediction", DType::kFloat32, predictions, kPlanDenoise, kPlanDenoise);
  }
  if (table.needs_prev_sample) builder.add("prev_sample", DType::kFloat32, latents, kPlanDenoise, kPlanDenoise);
  for (int i = 0; i < table.num_history; ++i) {
    builder.add("history_" + std::to_string(i), DType::kFloat32, latents, kPlanDenoise, kPlanDenoise);
  }
}

// What ways to do a generation are laid out for.
struct Wish {
  const Manifest& manifest;
  const ModuleSet& modules;
  const SchedulerTable& table;
  const ResolvedOptions& resolved;
  int chunk;  // as asked for; 0: chosen here
  const MemoryLimit& limit;
};

// One way to do a generation, and everything it needs. Throws BackendError where a module cannot be run that way.
GenerationLayout lay_out(const Wish& wish, GenerationPlan plan, const StreamedWeights& streamed) {
  LayoutBuilder builder(streamed);
  const std::int64_t batch = plan.guidance == "batched" ? 2 : 1;
  const std::uint64_t text_encoder = builder.add_module(wish.modules, "text_encoder", kTextEncoderSizes, kPlanEncode);
  const std::uint64_t image_encoder = add_image_encoder(builder, wish.manifest, wish.modules, plan);
  const std::uint64_t denoiser = builder.add_module(wish.modules, "denoiser",
                                                    {{"height", {plan.height, plan.height}},
                                                     {"width", {plan.width, plan.width}},
                                                     {"num_frames", {plan.num_frames, plan.num_frames}},
                                                     {"batch", {batch, batch}}},
                                                    kPlanDenoise);
  add_denoise_tensors(builder, wish.manifest, wish.modules.variant("denoiser"), plan, wish.table);
  const std::uint64_t decoder = add_decoder(builder, wish.manifest, wish.modules, plan);
  if (plan.residency == "all") plan.weight_bytes = text_encoder + image_encoder + denoiser + decoder;
  return builder.finish(plan, wish.modules.backend().device());
}

// The ways that a generation can be done, the best first, until one fits.
class Search {
 public:
  explicit Search(const Wish& wish) : wish_(wish) {
    plan_ = plan_of_sizes(wish.resolved);
    plan_.num_inference_steps = wish.resolved.num_inference_steps - wish.resolved.first_step;
    plan_.strength = wish.resolved.strength;
    plan_.step_cache = wish.resolved.step_cache;
    plan_.decode_chunk = decode_chunk(wish.manifest.vae, wish.resolved.latent_frames, wish.chunk);
    if (wish.resolved.has_image) plan_.image_conditioning = wish.manifest.image_conditioning;
  }

  /// Nothing where none fits. Throws BackendError where there is none.
  std::optional<GenerationLayout> run() {
    for (const PlannedTiles& tiles : tilings(wish_.resolved)) {
      plan_.tiles = tiles;
      if (std::optional<GenerationLayout> layout = run_tiled(); layout.has_value()) return layout;
      if (least_ == kNone) std::rethrow_exception(unavailable_);
    }
    return std::nullopt;
  }

  /// Of what the way takes that takes least, once run() has found none that fits.
  std::uint64_t least() const { return least_; }

 private:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

  std::optional<GenerationLayout> run_tiled() {
    const std::vector<std::string> guidance_choices =
        wish_.resolved.guided ? std::vector<std::string>{"batched", "sequential"} : std::vector<std::string>{"off"};
    std::optional<GenerationLayout> best;
    for (const char* residency : {"all", "stage_by_stage", "stream"}) {
      for (const std::string& guidance : guidance_choices) {
        plan_.residency = residency;
        plan_.guidance = guidance;
        std::optional<GenerationLayout> layout = fitting();
        if (!layout.has_value()) continue;
        if (plan_.residency != "stream") return layout;
        if (!best.has_value() || streamed_a_step(*layout) < streamed_a_step(*best)) best = std::move(layout);
      }
    }
    return best;
  }

  std::optional<GenerationLayout> fitting() {
    try {
      const auto streaming = [&](const StreamedWeights& streamed) { return lay_out(wish_, plan_, streamed); };
      if (plan_.residency == "stream") return stream_weights(streaming, wish_.limit.bytes, &least_);
      GenerationLayout layout = streaming({});
      least_ = std::min(least_, layout.total_bytes());
      if (wish_.limit.holds(layout.total_bytes())) return layout;
    } catch (const BackendError&) {
      // An engine may take one prompt a run and no more.
      if (unavailable_ == nullptr) unavailable_ = std::current_exception();
    }
    return std::nullopt;
  }

  const Wish& wish_;
  GenerationPlan plan_;
  std::uint64_t least_ = kNone;
  std::exception_ptr unavailable_;
};

bool fits(const Wish& wish, const ResolvedOptions& other) {
  try {
    const Wish asked{wish.manifest, wish.modules, wish.table, other, wish.chunk, wish.limit};
    return Search(asked).run().has_value();
  } catch (const Error&) {
    return false;  // no engine, or no decoder, takes that length or these tiles
  }
}

// A generation of other sizes than the wish's.
struct Sizes {
  int height;
  int width;
  int num_frames;
};

bool fits(const Wish& wish, const Sizes& sizes) {
  ResolvedOptions smaller = wish.resolved;
  const VaeConfig& vae = wish.manifest.vae;
  smaller.num_frames = sizes.num_frames;
  smaller.latent_frames = latent_frames_of_clip(vae, sizes.num_frames);
  if (sizes.height != smaller.height || sizes.width != smaller.width) {
    smaller.height = sizes.height;
    smaller.width = sizes.width;
    smaller.latent_height = sizes.height / vae.spatial_ratio;
    smaller.latent_width = sizes.width / vae.spatial_ratio;
    smaller.tiles = whole_frame(sizes.height, sizes.width);  // tiles are those of the size that was asked for
  }
  return fits(wish, smaller);
}

// The largest of 0 ... `bad` - 1 that is good, where all below a good one are; -1: none.
template <typename IsGood>
int largest_good(int bad, const IsGood& is_good) {
  int good = -1;
  while (bad - good > 1) {
    const int middle = good + (bad - good) / 2;
    (is_good(middle) ? good : bad) = middle;
  }
  return good;
}

// The longest clip at a size of frames that fits and is shorter than the wish's.
std::optional<Sizes> shorter_clip(const Wish& wish, int height, int width) {
  const Limit& lengths = wish.manifest.num_frames;
  const auto clip = [&](int steps) { return Sizes{height, width, lengths.min + steps * lengths.step}; };
  const int steps = (wish.resolved.num_frames - lengths.min) / lengths.step;
  const int good = largest_good(steps, [&](int count) { return fits(wish, clip(count)); });
  return good < 0 ? std::nullopt : std::optional(clip(good));
}

// The largest frames, of about the wish's shape, that fit at its length and are smaller than the wish's.
std::optional<Sizes> smaller_frames(const Wish& wish) {
  const Limit& heights = wish.manifest.height;
  const auto frame = [&](int steps) {
    const int height = heights.min + steps * heights.step;
    const auto wide = static_cast<std::int64_t>(wish.resolved.width) * height / wish.resolved.height;
    return Sizes{height, valid_at_most(wish.manifest.width, static_cast<int>(wide)), wish.resolved.num_frames};
  };
  const int steps = (wish.resolved.height - heights.min) / heights.step;
  const int good = largest_good(steps, [&](int count) { return fits(wish, frame(count)); });
  return good < 0 ? std::nullopt : std::optional(frame(good));
}

// What to do where `wish` does not fit: the nearest sizes that do, where there are any.
std::string smaller_sizes(const Wish& wish) {
  const auto frames = [](const Sizes& sizes) { return "num_frames to " + std::to_string(sizes.num_frames); };
  const auto size = [](const Sizes& sizes) {
    return "height to " + std::to_string(sizes.height) + " and width to " + std::to_string(sizes.width);
  };
  const std::optional<Sizes> shorter = shorter_clip(wish, wish.resolved.height, wish.resolved.width);
  const std::optional<Sizes> smaller = smaller_frames(wish);
  if (shorter && smaller) return "lower " + frames(*shorter) + ", or " + size(*smaller) + ": either fits";
  if (shorter) return "lower height or width, or " + frames(*shorter) + ", which fits";
  const std::string none = "no num_frames fits at this size";
  if (smaller) return "lower " + size(*smaller) + ", which fits: " + none;
  const std::optional<Sizes> both = shorter_clip(wish, wish.manifest.height.min, wish.manifest.width.min);
  if (both) return "lower " + size(*both) + " and " + frames(*both) + ", which fits: " + none;
  return "take a smaller model: " + none + ", nor at any smaller one";
}

}  // namespace

GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int chunk, const MemoryLimit& limit) {
  const Wish wish{manifest, modules, table, resolved, chunk, limit};
  Search search(wish);
  if (std::optional<GenerationLayout> layout = search.run(); layout.has_value()) return *std::move(layout);
  const std::string tiles = tiles_remedy(resolved, [&](const ResolvedOptions& tiled) { return fits(wish, tiled); });
  fail_over_limit("even with one stage loaded at a time this generation", search.least(), limit,
                  tiles + smaller_sizes(wish));
}

GenerationLayout plan_encode(const ModuleSet& modules) {
  LayoutBuilder builder;
  GenerationPlan plan;
  plan.weight_bytes = builder.add_module(modules, "text_encoder", kTextEncoderSizes, kPlanEncode);
  plan.residency = "all";
  return builder.finish(plan, modules.backend().device());
}

}  // namespace vidrt
