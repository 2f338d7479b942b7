#include "runtime/generation_planner.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "runtime/decode_planner.h"
#include "runtime/symbols.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// Prompts are encoded one by one.
const ModuleSizes kTextEncoderSizes{{"batch", {1, 1}}};

std::int64_t embeds_dim(const Variant& denoiser) {
  const TensorSpec* embeds = find_tensor(denoiser.inputs, "text_embeds");
  return evaluate_dimension(embeds->shape.at(2), {});
}

// The image, the latents that it becomes and what lies between. Returns the bytes of the encoder's weights.
std::uint64_t add_image_encoder(LayoutBuilder& builder, const Manifest& manifest, const ModuleSet& modules,
                                const GenerationPlan& plan) {
  if (plan.image_conditioning == "none") return 0;
  builder.add("image", DType::kFloat32, {1, 3, 1, plan.height, plan.width}, kPlanEncodeImage, kPlanEncodeImage);
  // Put into the latents before every run of the denoiser, and after the last step.
  builder.add("condition", DType::kFloat32, {1, manifest.vae.latent_channels, 1, plan.latent_height, plan.latent_width},
              kPlanEncodeImage, kPlanDenoise);
  return builder
      .add_module(modules, "vae_encoder",
                  {{"height", {plan.height, plan.height}}, {"width", {plan.width, plan.width}}, {"batch", {1, 1}}},
                  kPlanEncodeImage)
      .weight_bytes;
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
  if (find_tensor(denoiser.inputs, "text_mask") != nullptr) {
    builder.add("text_mask", DType::kInt64, {prompts, manifest.text_length}, kPlanDenoise, kPlanDenoise);
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

// One way to do a generation, and everything it needs. Throws BackendError where a module cannot be run that way.
GenerationLayout lay_out(const Manifest& manifest, const ModuleSet& modules, const SchedulerTable& table,
                         GenerationPlan plan) {
  LayoutBuilder builder;
  const std::int64_t batch = plan.guidance == "batched" ? 2 : 1;
  const ModuleNeeds text_encoder = builder.add_module(modules, "text_encoder", kTextEncoderSizes, kPlanEncode);
  const std::uint64_t image_encoder = add_image_encoder(builder, manifest, modules, plan);
  const ModuleNeeds denoiser = builder.add_module(modules, "denoiser",
                                                  {{"height", {plan.height, plan.height}},
                                                   {"width", {plan.width, plan.width}},
                                                   {"num_frames", {plan.num_frames, plan.num_frames}},
                                                   {"batch", {batch, batch}}},
                                                  kPlanDenoise);
  add_denoise_tensors(builder, manifest, modules.variant("denoiser"), plan, table);
  const std::uint64_t decoder = add_decoder(builder, manifest, modules, plan);
  plan.weight_bytes = plan.residency == "all"
                          ? text_encoder.weight_bytes + image_encoder + denoiser.weight_bytes + decoder
                          : std::max({text_encoder.weight_bytes, image_encoder, denoiser.weight_bytes, decoder});
  return builder.finish(plan);
}

}  // namespace

GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int chunk, std::uint64_t memory_budget) {
  GenerationPlan plan = plan_of_sizes(resolved);
  plan.num_inference_steps = resolved.num_inference_steps;
  plan.step_cache = resolved.step_cache;
  plan.decode_chunk = decode_chunk(manifest.vae, resolved.latent_frames, chunk);
  if (resolved.has_image) plan.image_conditioning = manifest.image_conditioning;

  std::uint64_t smallest = 0;
  std::exception_ptr unavailable;
  const std::vector<std::string> guidance_choices =
      resolved.guided ? std::vector<std::string>{"batched", "sequential"} : std::vector<std::string>{"off"};
  for (const char* residency : {"all", "stage_by_stage"}) {
    for (const std::string& guidance : guidance_choices) {
      plan.residency = residency;
      plan.guidance = guidance;
      try {
        GenerationLayout layout = lay_out(manifest, modules, table, plan);
        smallest = layout.plan.arena_bytes + layout.plan.weight_bytes;
        if (memory_budget == 0 || smallest <= memory_budget) return layout;
      } catch (const BackendError&) {
        // An engine may take one prompt a run and no more.
        if (unavailable == nullptr) unavailable = std::current_exception();
      }
    }
  }
  if (smallest == 0) std::rethrow_exception(unavailable);
  fail_over_budget("even with one stage loaded at a time this generation", smallest, memory_budget,
                   "lower height, width or num_frames");
}

GenerationLayout plan_encode(const ModuleSet& modules) {
  LayoutBuilder builder;
  GenerationPlan plan;
  plan.weight_bytes = builder.add_module(modules, "text_encoder", kTextEncoderSizes, kPlanEncode).weight_bytes;
  return builder.finish(plan);
}

}  // namespace vidrt
