#include "runtime/generation.h"

#include <algorithm>
#include <random>
#include <utility>

#include "runtime/arena_tensors.h"
#include "runtime/decode_planner.h"
#include "runtime/denoise_loop.h"
#include "runtime/image_input.h"
#include "runtime/module_contract.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  // 53 bits, so that the seed survives JSON readers that keep numbers as doubles.
  return ((static_cast<std::uint64_t>(device()) << 32U) | device()) >> 11U;
}

SessionOptions session_options(const PipelineOptions& options) {
  SessionOptions session;
  session.threads = options.threads;
  session.cuda_graphs = options.cuda_graphs;
  session.profile_layers = options.profile_layers;
  return session;
}

// What is known of a generation from its bundle and options alone.
struct Sampling {
  Sampling(const Bundle& bundle, const GenerateOptions& options) {
    require_generation(bundle);
    resolved = resolve_options(bundle.manifest(), options);
    table = make_scheduler_table(bundle.manifest().scheduler_json, options.scheduler, resolved.num_inference_steps,
                                 resolved.first_step);
  }

  ResolvedOptions resolved;
  SchedulerTable table;
};

bool needs_vae_encoder(const ResolvedOptions& resolved) { return resolved.has_image || resolved.strength > 0.0; }

}  // namespace

PipelineState::PipelineState(Bundle opened, const PipelineOptions& pipeline_options, std::shared_ptr<Backend> backend)
    : bundle(std::move(opened)),
      options(pipeline_options),
      modules(bundle, std::move(backend), options.variant, session_options(options)),
      prompts(bundle.manifest().decoder_only
                  ? std::nullopt
                  : std::optional<PromptEncoder>(std::in_place, bundle, options.embeds_cache)),
      arena(modules.backend().device()) {}

MemoryLimit PipelineState::limit() const {
  const std::uint64_t held = modules.held_bytes() + arena.capacity();
  return memory_limit(options.memory_budget, modules.backend().device(), held);
}

void check_pipeline_options(const PipelineOptions& options) {
  constexpr int kMaxThreads = 1024;
  if (options.threads < 0 || options.threads > kMaxThreads) {
    throw InvalidArgument("threads must be 0 (one per physical core) to " + std::to_string(kMaxThreads) + ", got " +
                          std::to_string(options.threads) + ".");
  }
}

void require_generation(const Bundle& bundle) {
  if (!bundle.manifest().decoder_only) return;
  throw BundleError("bundle '" + bundle.path() +
                    "' has only a decoder: no text_encoder and no denoiser, which a generation needs. Decode latents " +
                    "with it (decode_latents, `vidrt decode`), or open a bundle of a whole model.");
}

void check_generation(const Bundle& bundle, const GenerateOptions& options) {
  const Sampling sampling(bundle, options);
  decode_chunk(bundle.manifest().vae, sampling.resolved.latent_frames, options.decode_chunk);
}

GenerationPlan plan_only(const PipelineState& state, const GenerateOptions& options) {
  const Sampling sampling(state.bundle, options);
  return plan_generation(state.bundle.manifest(), state.modules, sampling.resolved, sampling.table,
                         options.decode_chunk, state.limit())
      .plan;
}

Video Generation::run(const GenerateOptions& options) {
  // 1. Check everything before anything heavy starts.
  const Sampling sampling(state_.bundle, options);
  const ResolvedOptions& resolved = sampling.resolved;
  const SchedulerTable& table = sampling.table;
  const Manifest& manifest = state_.bundle.manifest();
  const Prompts prompts = prepare_prompts(options, resolved);
  const SharedEmbeds given_positive = given_embeds("prompt_embeds", options.prompt_embeds);
  const SharedEmbeds given_negative = given_embeds("negative_prompt_embeds", options.negative_prompt_embeds);
  const GenerationLayout layout =
      plan_generation(manifest, state_.modules, resolved, table, options.decode_chunk, state_.limit());
  plan_ = layout.plan;
  warn_of_plan(resolved);
  describe(options, resolved, table, prompts);
  const double session_ms_before = state_.modules.session_ms();

  // 2. Load: everything at once, or each stage in its turn.
  const bool stage_by_stage = plan_.residency != "all";
  bool needs_encoder = false;
  for (const auto* prompt : {&prompts.positive, &prompts.negative}) {
    if (prompt->has_value() && must_encode(**prompt)) needs_encoder = true;
  }
  std::vector<std::string> first_load;
  if (needs_encoder) first_load.emplace_back("text_encoder");
  if (!stage_by_stage) {
    if (needs_vae_encoder(resolved)) first_load.push_back("vae_encoder");
    first_load.push_back("denoiser");
    const std::vector<std::string> decoders = decoder_modules(manifest.vae);
    first_load.insert(first_load.end(), decoders.begin(), decoders.end());
  }
  load(first_load, layout, stage_by_stage);
  state_.arena.reserve(static_cast<std::size_t>(plan_.arena_bytes));
  // What an earlier generation wrote would lie beside the modules of the first stages.
  if (stage_by_stage) state_.arena.discard();
  const ArenaTensors tensors(state_.arena, layout);

  // 3. Text.
  const Stopwatch encode_clock;
  const Workspace encoding = tensors.workspace(kPlanEncode);
  std::vector<SharedEmbeds> embeds;
  if (resolved.guided) embeds.push_back(encode(prompts.negative, given_negative, encoding));
  embeds.push_back(encode(prompts.positive, given_positive, encoding));
  video_.timings.encode = encode_clock.elapsed_ms();

  // 4. The image, or the clip to start from.
  if (needs_vae_encoder(resolved) && stage_by_stage) load({"vae_encoder"}, layout, true);
  if (resolved.has_image) encode_image(tensors, *options.image);
  std::vector<float> clip;
  if (options.video.has_value()) clip = encode_video(tensors, *options.video);

  // 5. Denoise.
  if (stage_by_stage) load({"denoiser"}, layout, true);
  const std::vector<NamedTensor> text = fill_text(device(), tensors, embeds);
  fill_latents(tensors, options, table, clip);
  denoise(tensors, text, table, resolved);

  // 6. Decode, frame by frame.
  decode(layout, tensors, row(tensors["latents"], 0), resolved.output, options.keep_frames);

  video_.timings.total = since_start_.elapsed_ms();
  video_.timings.session = state_.modules.session_ms() - session_ms_before;
  return std::move(video_);
}

PromptEmbeds Generation::encode_prompt(const std::string& prompt, bool truncate) {
  require_generation(state_.bundle);
  const PreparedPrompt prepared = state_.prompts->prepare(prompt, truncate);
  for (const std::string& warning : prepared.warnings) warn(warning);
  const GenerationLayout layout = plan_encode(state_.modules);
  if (must_encode(prepared)) load({"text_encoder"}, layout, false);
  state_.arena.reserve(static_cast<std::size_t>(layout.plan.arena_bytes));
  return *encode(prepared, nullptr, ArenaTensors(state_.arena, layout).workspace(kPlanEncode));
}

Generation::Prompts Generation::prepare_prompts(const GenerateOptions& options, const ResolvedOptions& resolved) {
  Prompts prompts;
  if (options.prompt_embeds == nullptr) {
    const bool blank = options.prompt.find_first_not_of(" \t\r\n") == std::string::npos;
    if (blank) throw InvalidArgument("prompt is empty; say what the video shall show.");
    prompts.positive = state_.prompts->prepare(options.prompt, options.truncate);
  }
  if (resolved.guided && options.negative_prompt_embeds == nullptr) {
    prompts.negative = state_.prompts->prepare_negative(resolved.negative_prompt, options.truncate);
  }
  for (const auto* prompt : {&prompts.positive, &prompts.negative}) {
    if (!prompt->has_value()) continue;
    for (const std::string& warning : (*prompt)->warnings) warn(warning);
  }
  return prompts;
}

bool Generation::must_encode(const PreparedPrompt& prompt) {
  std::string warning;
  const bool known = state_.prompts->recall(prompt, state_.modules, &warning);
  if (!warning.empty()) warn(warning);
  return !known;
}

SharedEmbeds Generation::given_embeds(const std::string& name, const PromptEmbeds* embeds) const {
  if (embeds == nullptr) return nullptr;
  if (embeds->encoder_id != state_.prompts->encoder_id()) {
    throw InvalidArgument(name + " was made by another text encoder (" + embeds->encoder_id.substr(0, 12) +
                          "...) than this bundle's (" + state_.prompts->encoder_id().substr(0, 12) +
                          "...); encode the prompt with this bundle.");
  }
  // The caller keeps it alive during generate(): no copy.
  return SharedEmbeds(SharedEmbeds(), embeds);
}

void Generation::load(const std::vector<std::string>& modules, const GenerationLayout& layout, bool only_these) {
  if (only_these) state_.modules.keep_only(modules);
  const auto missing = [&](const std::string& module) {
    return !state_.modules.loaded(module, layout.sizes.at(module), layout.streamed_bytes(module));
  };
  const int total = static_cast<int>(std::count_if(modules.begin(), modules.end(), missing));
  if (total == 0) return;
  const Stopwatch stopwatch;
  check_cancelled("before the models were loaded");
  announce(Stage::kLoad, 0, total);
  if (!state_.weights_checked) {
    state_.bundle.verify_weights_once();
    state_.weights_checked = true;
  }
  int done = 0;
  for (const std::string& module : modules) {
    if (!missing(module)) continue;
    state_.modules.load(module, layout.sizes.at(module), layout.streamed_bytes(module));
    for (const std::string& warning : state_.modules.backend().take_warnings()) warn(warning);
    announce(Stage::kLoad, ++done, total);
    check_cancelled("while the models were loaded");
  }
  video_.timings.load += stopwatch.elapsed_ms();
}

SharedEmbeds Generation::encode(const std::optional<PreparedPrompt>& prompt, const SharedEmbeds& given,
                                const Workspace& workspace) {
  if (!prompt.has_value()) return given;
  announce(Stage::kEncode, 0, 1);
  SharedEmbeds embeds = state_.prompts->encode(*prompt, state_.modules, workspace);
  announce(Stage::kEncode, 1, 1);
  check_cancelled("after the prompt was encoded");
  return embeds;
}

void Generation::denoise(const ArenaTensors& tensors, const std::vector<NamedTensor>& text, const SchedulerTable& table,
                         const ResolvedOptions& resolved) {
  const Stopwatch stopwatch;
  const int total = plan_.num_inference_steps;
  announce(Stage::kDenoise, 0, total);
  DenoiseLoop loop(state_.modules, tensors, text, plan_, table, resolved.guidance_scale);
  loop.run(video_.metadata.seed, [&](int step) {
    if (callbacks_.on_step) callbacks_.on_step({step, total, table.steps[static_cast<std::size_t>(step)].timestep});
    announce(Stage::kDenoise, step + 1, total);
    check_cancelled("after step " + std::to_string(step + 1) + " of " + std::to_string(total));
  });
  since_last_step_ = Stopwatch();
  video_.metadata.skipped_steps = loop.skipped_steps();
  if (!device().all_finite(row(tensors["latents"], 0))) {
    throw BackendError(
        "the denoiser produced values that are not finite; lower guidance_scale, "
        "or use a variant of higher precision.");
  }
  video_.timings.denoise = stopwatch.elapsed_ms();
}

void Generation::describe(const GenerateOptions& options, const ResolvedOptions& resolved, const SchedulerTable& table,
                          const Prompts& prompts) {
  std::vector<std::string> modules = generation_modules(state_.bundle.manifest());
  if (!needs_vae_encoder(resolved)) {
    modules.erase(std::remove(modules.begin(), modules.end(), "vae_encoder"), modules.end());
  }
  describe_frames(resolved, modules);
  VideoMetadata& metadata = video_.metadata;
  metadata.prompt = prompts.positive ? prompts.positive->text : options.prompt_embeds->prompt;
  if (prompts.negative) metadata.negative_prompt = prompts.negative->text;
  if (options.negative_prompt_embeds != nullptr) metadata.negative_prompt = options.negative_prompt_embeds->prompt;
  if (options.image) metadata.image_sha256 = image_sha256(*options.image);
  if (options.video) metadata.video_sha256 = image_sha256(*options.video);
  metadata.strength = resolved.strength;
  metadata.seed = options.seed ? *options.seed : (options.latents ? 0 : random_seed());
  metadata.num_inference_steps = resolved.num_inference_steps;
  metadata.guidance_scale = resolved.guidance_scale;
  metadata.scheduler = table.name;
  metadata.step_cache = resolved.step_cache;
  metadata.guidance = plan_.guidance;
}

void Generation::warn(const std::string& message) {
  video_.metadata.warnings.push_back(message);
  if (callbacks_.on_warning) callbacks_.on_warning(message);
}

void Generation::announce(Stage stage, int done, int total) const {
  if (callbacks_.on_stage) callbacks_.on_stage({stage, done, total});
}

void Generation::check_cancelled(const std::string& where) const {
  if (callbacks_.cancel != nullptr && callbacks_.cancel->cancelled()) {
    throw Cancelled("the generation was cancelled " + where + ".");
  }
}

}  // namespace vidrt
