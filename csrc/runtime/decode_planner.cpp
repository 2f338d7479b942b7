#include "runtime/decode_planner.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/weight_streaming.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kDefaultDecodeChunk = 1;  // latent frames: the least memory, and the earliest first frame

// The index of the first frame that a latent frame becomes.
int first_frame(const VaeConfig& vae, int latent) {
  const int before_first = vae.single_first_frame && latent > 0 ? vae.temporal_ratio - 1 : 0;
  return latent * vae.temporal_ratio - before_first;
}

// Symbols of the manifest's shapes for a call of the decoder.
SymbolValues decode_symbols(const GenerationPlan& plan, const DecodeCall& call) {
  return {{"B", 1},
          {"T", call.given_count},
          {"k", call.given_count},
          {"h", plan.latent_height},
          {"w", plan.latent_width},
          {"F", call.frames},
          {"H", plan.height},
          {"W", plan.width}};
}

void widen(SizeRange* range, std::int64_t size) {
  range->min = std::min(range->min, size);
  range->max = std::max(range->max, size);
}

// What a module that does these calls has to take.
ModuleSizes decoder_sizes(const VaeConfig& vae, const GenerationPlan& plan, const std::vector<DecodeCall>& calls) {
  ModuleSizes sizes{{"height", {plan.height, plan.height}}, {"width", {plan.width, plan.width}}, {"batch", {1, 1}}};
  if (calls.empty()) return sizes;
  const auto frames = [&](const DecodeCall& call) { return frames_of_clip(vae, call.given_count); };
  SizeRange chunk{calls.front().count, calls.front().count};
  SizeRange num_frames{frames(calls.front()), frames(calls.front())};
  for (const DecodeCall& call : calls) {
    widen(&chunk, call.count);
    widen(&num_frames, frames(call));
  }
  sizes["decode_chunk"] = chunk;
  // A causal decoder takes a clip of any length, call by call.
  if (vae.form != "causal") sizes["num_frames"] = num_frames;
  return sizes;
}

// Add the modules that do these calls. Returns the bytes of their weights that are on the device.
std::uint64_t add_decoder_modules(LayoutBuilder& builder, const VaeConfig& vae, const ModuleSet& modules,
                                  const GenerationPlan& plan, const std::vector<DecodeCall>& calls) {
  const std::vector<DecodeCall> later(calls.begin() + 1, calls.end());
  if (vae.form != "causal") {
    const ModuleSizes sizes = decoder_sizes(vae, plan, calls);
    const std::uint64_t weight_bytes = builder.add_module(modules, "vae_decoder", sizes, kPlanDecodeFirst);
    if (!later.empty()) builder.add_module(modules, "vae_decoder", sizes, kPlanDecodeNext);
    return weight_bytes;
  }
  const std::uint64_t first =
      builder.add_module(modules, "vae_decoder_first", decoder_sizes(vae, plan, {calls.front()}), kPlanDecodeFirst);
  const std::uint64_t next =
      builder.add_module(modules, "vae_decoder_next", decoder_sizes(vae, plan, later), kPlanDecodeNext);
  return modules.backend().shares_weights() ? std::max(first, next) : first + next;
}

}  // namespace

std::vector<std::string> decoder_modules(const VaeConfig& vae) {
  if (vae.form == "causal") return {"vae_decoder_first", "vae_decoder_next"};
  return {"vae_decoder"};
}

int frames_of_clip(const VaeConfig& vae, int latent_frames) { return first_frame(vae, latent_frames); }

int latent_frames_of_clip(const VaeConfig& vae, int num_frames) {
  return vae.single_first_frame ? (num_frames - 1) / vae.temporal_ratio + 1 : num_frames / vae.temporal_ratio;
}

int decode_chunk(const VaeConfig& vae, int latent_frames, int asked) {
  if (vae.form != "whole") return asked == 0 ? kDefaultDecodeChunk : asked;
  if (asked != 0 && asked != latent_frames && !vae.receptive_field.has_value()) {
    throw InvalidArgument("decode_chunk is " + std::to_string(asked) + ", but this bundle's decoder needs all " +
                          std::to_string(latent_frames) + " latent frames at once; leave decode_chunk out.");
  }
  // Parts are decoded with their surroundings, some frames of which are decoded again and again: only where asked for.
  return asked == 0 ? latent_frames : std::min(asked, latent_frames);
}

std::vector<DecodeCall> decode_calls(const VaeConfig& vae, int latent_frames, int chunk) {
  const bool causal = vae.form == "causal";
  const ReceptiveField around = vae.receptive_field.value_or(ReceptiveField{});
  std::vector<DecodeCall> calls;
  for (int latent = 0; latent < latent_frames; latent += calls.back().count) {
    DecodeCall call;
    call.latent = latent;
    call.count = std::min(causal && latent == 0 ? 1 : chunk, latent_frames - latent);
    call.given = std::max(0, latent - around.before);
    call.given_count = std::min(latent_frames - latent, call.count + around.after) + latent - call.given;
    // A causal decoder knows where in the clip it is; every other takes what it is given for a clip of its own, in
    // which each frame comes temporal_ratio earlier for every latent frame that was left out.
    const int left_out = causal ? first_frame(vae, latent) : call.given * vae.temporal_ratio;
    const int end = causal ? latent + call.count : call.given_count;
    call.frames = first_frame(vae, end) - (causal ? left_out : 0);
    call.skipped = first_frame(vae, latent) - left_out;
    call.wanted = first_frame(vae, latent + call.count) - first_frame(vae, latent);
    calls.push_back(call);
  }
  return calls;
}

GenerationPlan plan_of_sizes(const ResolvedOptions& resolved) {
  GenerationPlan plan;
  plan.height = resolved.height;
  plan.width = resolved.width;
  plan.num_frames = resolved.num_frames;
  plan.latent_frames = resolved.latent_frames;
  plan.latent_height = resolved.latent_height;
  plan.latent_width = resolved.latent_width;
  return plan;
}

std::uint64_t add_decoder(LayoutBuilder& builder, const Manifest& manifest, const ModuleSet& modules,
                          const GenerationPlan& plan) {
  const VaeConfig& vae = manifest.vae;
  const std::vector<DecodeCall> calls = decode_calls(vae, plan.latent_frames, plan.decode_chunk);
  const std::uint64_t weight_bytes = add_decoder_modules(builder, vae, modules, plan, calls);
  int most_latents = 0;
  int most_later_frames = 0;
  for (const DecodeCall& call : calls) {
    most_latents = std::max(most_latents, call.given_count);
    if (call.latent > 0) most_later_frames = std::max(most_later_frames, call.frames);
  }
  // The decoder takes a contiguous (1,C,k,h,w), a slice of the latents along T; hence the copy.
  builder.add("decode_latents", DType::kFloat32,
              {1, vae.latent_channels, most_latents, plan.latent_height, plan.latent_width}, kPlanDecodeFirst,
              kPlanDecodeNext);
  builder.add("frames_first", DType::kFloat32, {1, 3, calls.front().frames, plan.height, plan.width}, kPlanDecodeFirst,
              kPlanDecodeFirst);
  if (calls.size() > 1) {
    builder.add("frames_next", DType::kFloat32, {1, 3, most_later_frames, plan.height, plan.width}, kPlanDecodeNext,
                kPlanDecodeNext);
  }
  if (vae.form != "causal") return weight_bytes;
  const SymbolValues symbols = decode_symbols(plan, calls.front());
  for (const TensorSpec& spec : modules.variant("vae_decoder_first").outputs) {
    if (spec.name.rfind("cache_out_", 0) != 0) continue;
    const std::string index = spec.name.substr(10);
    const Shape shape = evaluate_shape(spec, symbols);
    // Two banks: a step reads one and writes the other, so no cache is ever copied.
    builder.add("cache_a_" + index, spec.dtype, shape, kPlanDecodeFirst, kPlanDecodeNext);
    if (calls.size() > 1) builder.add("cache_b_" + index, spec.dtype, shape, kPlanDecodeNext, kPlanDecodeNext);
  }
  return weight_bytes;
}

GenerationLayout plan_decode(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                             int chunk, const MemoryLimit& limit) {
  GenerationPlan plan = plan_of_sizes(resolved);
  plan.guidance = "off";
  plan.decode_chunk = decode_chunk(manifest.vae, plan.latent_frames, chunk);
  const auto lay_out = [&](const StreamedWeights& streamed) {
    LayoutBuilder builder(streamed);
    builder.add("latents", DType::kFloat32,
                {1, manifest.vae.latent_channels, plan.latent_frames, plan.latent_height, plan.latent_width},
                kPlanDecodeFirst, kPlanDecodeNext);
    plan.weight_bytes = add_decoder(builder, manifest, modules, plan);
    return builder.finish(plan);
  };
  plan.residency = "all";
  GenerationLayout layout = lay_out({});
  std::uint64_t least = layout.total_bytes();
  if (limit.holds(least)) return layout;
  plan.residency = "stream";
  std::optional<GenerationLayout> streamed = stream_weights(lay_out, limit.bytes, &least);
  if (streamed.has_value()) return *std::move(streamed);
  fail_over_limit("decoding these latents", least, limit, "decode smaller or fewer latents");
}

}  // namespace vidrt
