// Text to video: open a bundle once, generate as often as wanted.
//
//   vidrt::Pipeline pipeline = vidrt::Pipeline::open("models/pocket");
//   vidrt::GenerateOptions options;
//   options.prompt = "a small red circle moving left";
//   options.seed = 7;
//   vidrt::Video video = pipeline.generate(options);
#pragma once

#include <memory>
#include <string>

#include "vidrt/api.h"
#include "vidrt/bundle.h"
#include "vidrt/errors.h"
#include "vidrt/events.h"
#include "vidrt/layer_profile.h"
#include "vidrt/options.h"
#include "vidrt/plan.h"
#include "vidrt/prompt_embeds.h"
#include "vidrt/video.h"

namespace vidrt {

class Backend;  // csrc/runtime/session.h

/// Runs the stages of one bundle; of a bundle that holds a decoder alone, the last. Movable. Calls from several threads
/// are taken one after another; for parallel generation open one pipeline a thread (weights of one bundle are shared
/// where the backend can).
class VIDRT_API Pipeline {
 public:
  /// Check the bundle and choose backend and variants. Modules are loaded when first needed.
  /// Throws InvalidArgument, BundleError, BackendError.
  static Pipeline open(const std::string& bundle_path, const PipelineOptions& options = {});
  /// The same over a backend of the caller's (tests, embedders with a runtime of their own).
  static Pipeline open(Bundle bundle, const PipelineOptions& options, std::shared_ptr<Backend> backend);

  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;
  ~Pipeline();

  const Bundle& bundle() const;
  /// The backend in use with its version: "onnxruntime 1.32.0".
  std::string backend_description() const;

  /// Encode one prompt with the text encoder. Throws InvalidArgument for an empty or overlong prompt.
  PromptEmbeds encode_prompt(const std::string& prompt, bool truncate = false, const Callbacks& callbacks = {});

  /// What generate() would do and need, without loading or running anything. Throws as generate() does for bad options.
  GenerationPlan plan(const GenerateOptions& options) const;

  /// The file in the user's cache folder that says what a module's activations take, once measured (docs/memory.md):
  /// of this graph, backend, processor and number of threads. "" where the user has no home.
  std::string activations_file(const std::string& module) const;

  /// What decode_latents() would do and need, without loading or running anything. Throws as it does for bad options.
  GenerationPlan plan_decode(const DecodeOptions& options) const;

  /// Turn latents into a video, with the decoder alone. Throws as generate() does.
  Video decode_latents(const DecodeOptions& options, const Callbacks& callbacks = {});

  /// Generate one video. Throws InvalidArgument before anything is loaded, BundleError where the bundle has only a
  /// decoder; OutOfMemory, BackendError; Cancelled.
  Video generate(const GenerateOptions& options, const Callbacks& callbacks = {});

  /// What the layers took in all runs since the pipeline was opened, or since the last call of this. Unloads all
  /// modules, for ONNX Runtime tells when a session ends; the next generation loads them again. Throws InvalidArgument
  /// unless the pipeline was opened with profile_layers, IoError, BackendError.
  LayerProfile take_layer_profile();

 private:
  struct Impl;
  explicit Pipeline(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vidrt
