#include "runtime/decode_planner.h"

#include <algorithm>

#include "runtime/tile_caches.h"
#include "runtime/vae_tiling.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kDefaultDecodeChunk = 1;  // latent frames: the least memory, and the earliest first frame

// The index of the first frame that a latent frame becomes.
int first_frame(const VaeConfig& vae, int latent) {
  const int before_first = vae.single_first_frame && latent > 0 ? vae.temporal_ratio - 1 : 0;
  return latent * vae.temporal_ratio - before_first;
}

void widen(SizeRange* range, std::int64_t size) {
  range->min = std::min(range->min, size);
  range->max = std::max(range->max, size);
}

// What a module that does these calls has to take.
ModuleSizes decoder_sizes(const VaeConfig& vae, const GenerationPlan& plan, const std::vector<DecodeCall>& calls) {
  const PlannedTiles& tiles = plan.tiles;
  ModuleSizes sizes{{"height", {tiles.height, tiles.height}}, {"width", {tiles.width, tiles.width}}, {"batch", {1, 1}}};
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

// Add what these calls, all of one stage, write frames to.
void add_frames(LayoutBuilder& builder, const GenerationPlan& plan, const std::vector<DecodeCall>& calls,
                PlanStage stage) {
  int given = 0;
  int wanted = 0;
  for (const DecodeCall& call : calls) {
    given = std::max(given, call.frames);
    wanted = std::max(wanted, call.wanted);
  }
  const std::string step = stage == kPlanDecodeFirst ? "first" : "next";
  const bool has_tiles = tile_grid(plan).count() > 1;
  // Of tiles only what is wanted comes into whole frames.
  builder.add("frames_" + step, DType::kFloat32, {1, 3, has_tiles ? wanted : given, plan.height, plan.width}, stage,
              stage);
  if (!has_tiles) return;
  builder.add("tile_frames_" + step, DType::kFloat32, {1, 3, given, plan.tiles.height, plan.tiles.width}, stage, stage);
}

}  // namespace

SymbolValues decode_symbols(const GenerationPlan& plan, const DecodeCall& call) {
  const TileGrid grid = tile_grid(plan);
  return {{"B", 1},
          {"T", call.given_count},
          {"k", call.given_count},
          {"h", grid.rows.tile},
          {"w", grid.columns.tile},
          {"F", call.frames},
          {"H", plan.tiles.height},
          {"W", plan.tiles.width}};
}

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
  plan.tiles = whole_frame(resolved.height, resolved.width);
  return plan;
}

std::uint64_t add_decoder(LayoutBuilder& builder, const Manifest& manifest, const ModuleSet& modules,
                          const GenerationPlan& plan) {
  const VaeConfig& vae = manifest.vae;
  const std::vector<DecodeCall> calls = decode_calls(vae, plan.latent_frames, plan.decode_chunk);
  const std::uint64_t weight_bytes = add_decoder_modules(builder, vae, modules, plan, calls);
  const TileGrid grid = tile_grid(plan);
  int most_latents = 0;
  for (const DecodeCall& call : calls) most_latents = std::max(most_latents, call.given_count);
  // The decoder takes a contiguous (1,C,k,h,w), a slice of the latents; hence the copy.
  builder.add("decode_latents", DType::kFloat32,
              {1, vae.latent_channels, most_latents, grid.rows.tile, grid.columns.tile}, kPlanDecodeFirst,
              kPlanDecodeNext);
  add_frames(builder, plan, {calls.front()}, kPlanDecodeFirst);
  if (calls.size() > 1) add_frames(builder, plan, {calls.begin() + 1, calls.end()}, kPlanDecodeNext);
  if (grid.count() > 1) {
    builder.add("tile_row_weights", DType::kFloat32, {plan.tiles.rows, plan.tiles.height}, kPlanDecodeFirst,
                kPlanDecodeNext);
    builder.add("tile_column_weights", DType::kFloat32, {plan.tiles.columns, plan.tiles.width}, kPlanDecodeFirst,
                kPlanDecodeNext);
  }
  if (vae.form == "causal") {
    add_tile_caches(builder, cache_specs(modules.variant("vae_decoder_first")), decode_symbols(plan, calls.front()),
                    grid.count(), calls.size() > 1);
  }
  return weight_bytes;
}

std::vector<PlannedTiles> tilings(const ResolvedOptions& resolved) {
  const PlannedTiles whole = whole_frame(resolved.height, resolved.width);
  const bool are_tiles = resolved.tiles.rows * resolved.tiles.columns > 1;
  if (resolved.vae_tiling == "off" || !are_tiles) return {whole};
  if (resolved.vae_tiling == "on") return {resolved.tiles};
  return {whole, resolved.tiles};
}

std::string tiles_remedy(const ResolvedOptions& resolved, const std::function<bool(const ResolvedOptions&)>& fits) {
  if (resolved.vae_tiling != "off") return "";
  ResolvedOptions tiled = resolved;
  tiled.vae_tiling = "on";
  if (tilings(tiled).front().height == resolved.height && tilings(tiled).front().width == resolved.width) return "";
  return fits(tiled) ? "set vae_tiling to on, which decodes frames in tiles and fits, or " : "";
}

}  // namespace vidrt
