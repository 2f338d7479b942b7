// One call of Pipeline::generate or ::decode_latents: the stages in order, with events, cancellation and timings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/arena.h"
#include "runtime/call_guard.h"
#include "runtime/generation_planner.h"
#include "runtime/memory_limit.h"
#include "runtime/module_set.h"
#include "runtime/prompt_encoder.h"
#include "runtime/stopwatch.h"
#include "runtime/text_inputs.h"
#include "vidrt/events.h"
#include "vidrt/options.h"
#include "vidrt/video.h"

namespace vidrt {

class ArenaTensors;
class FrameStream;

/// What outlives a call: the bundle, the loaded modules, the arena.
struct PipelineState {
  PipelineState(Bundle opened, const PipelineOptions& pipeline_options, std::shared_ptr<Backend> backend);

  // The order matters: later members hold references to `bundle`.
  const Bundle bundle;
  const PipelineOptions options;
  ModuleSet modules;                     // with the backend, whose device the arena lies on
  std::optional<PromptEncoder> prompts;  // unset where the bundle has only a decoder
  Arena arena;
  bool weights_checked = false;

  /// What a plan may take: the user's budget, or what the device has free, with what of it is held here.
  MemoryLimit limit() const;
};

/// Throws InvalidArgument for a negative thread count or an unknown word.
void check_pipeline_options(const PipelineOptions& options);

/// Everything about a generation that can be checked without a backend. Throws InvalidArgument, or BundleError where
/// the bundle has only a decoder.
void check_generation(const Bundle& bundle, const GenerateOptions& options);

/// Pipeline::plan: everything that is decided before a module is loaded.
GenerationPlan plan_only(const PipelineState& state, const GenerateOptions& options);
/// Pipeline::plan_decode, likewise.
GenerationPlan plan_decode_only(const PipelineState& state, const DecodeOptions& options);

/// Throws BundleError when the bundle has only a decoder.
void require_generation(const Bundle& bundle);

class Generation {
 public:
  Generation(PipelineState& state, const Callbacks& callbacks) : state_(state), callbacks_(callbacks) {}
  ~Generation() { state_.modules.rest(); }
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  Video run(const GenerateOptions& options);
  Video decode_latents(const DecodeOptions& options);
  PromptEmbeds encode_prompt(const std::string& prompt, bool truncate);

 private:
  struct Prompts {
    std::optional<PreparedPrompt> positive;  // unset where embeddings are given
    std::optional<PreparedPrompt> negative;  // also unset where guidance is off
  };

  Prompts prepare_prompts(const GenerateOptions& options, const ResolvedOptions& resolved);
  /// Whether this prompt needs the text encoder.
  bool must_encode(const PreparedPrompt& prompt);
  SharedEmbeds given_embeds(const std::string& name, const PromptEmbeds* embeds) const;
  void load(const std::vector<std::string>& modules, const GenerationLayout& layout, bool only_these);
  SharedEmbeds encode(const std::optional<PreparedPrompt>& prompt, const SharedEmbeds& given,
                      const Workspace& workspace);
  void encode_frame(const ArenaTensors& tensors, const TensorView& frame);
  void encode_image(const ArenaTensors& tensors, const TensorView& image);
  /// The latents (C,T,h,w) of a clip, on the host.
  std::vector<float> encode_video(const ArenaTensors& tensors, const TensorView& video);
  /// `clip` has the latents to start from; empty: noise alone.
  void fill_latents(const ArenaTensors& tensors, const GenerateOptions& options, const SchedulerTable& table,
                    const std::vector<float>& clip);
  void denoise(const ArenaTensors& tensors, const std::vector<NamedTensor>& text, const SchedulerTable& table,
               const ResolvedOptions& resolved);
  void decode(const GenerationLayout& layout, const ArenaTensors& tensors, const TensorView& latents, DType output,
              bool keep_frames);
  /// All frames of a stream, of which Pixel is the type; null where they are not kept.
  template <typename Pixel>
  std::shared_ptr<const std::vector<Pixel>> take_frames(FrameStream* stream, bool keep_frames);
  void describe_frames(const ResolvedOptions& resolved, const std::vector<std::string>& modules);
  void describe(const GenerateOptions& options, const ResolvedOptions& resolved, const SchedulerTable& table,
                const Prompts& prompts);

  void warn(const std::string& message);
  /// What was warned of when the options were resolved, and what the plan does that was left to it.
  void warn_of_plan(const ResolvedOptions& resolved);
  void announce(Stage stage, int done, int total) const;
  void check_cancelled(const std::string& where) const;
  Device& device() const { return state_.modules.backend().device(); }

  PipelineState& state_;
  const Callbacks& callbacks_;
  Stopwatch since_start_;
  Stopwatch since_last_step_;
  GenerationPlan plan_;
  Video video_;
};

}  // namespace vidrt
