#include "vidrt/pipeline.h"

#include <utility>

#include "runtime/backends.h"
#include "runtime/generation.h"

namespace vidrt {

struct Pipeline::Impl {
  PipelineState state;
  CallGuard guard;

  Impl(Bundle bundle, const PipelineOptions& options, std::shared_ptr<Backend> backend)
      : state(std::move(bundle), options, std::move(backend)) {}
};

Pipeline::Pipeline(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

Pipeline Pipeline::open(const std::string& bundle_path, const PipelineOptions& options) {
  PipelineOptions resolved = options;
  check_pipeline_options(resolved);
  resolve_backend(&resolved);
  check_can_profile(resolved);
  Bundle bundle = Bundle::open(bundle_path);
  return open(std::move(bundle), resolved, make_backend(resolved.backend, resolved.device));
}

Pipeline Pipeline::open(Bundle bundle, const PipelineOptions& options, std::shared_ptr<Backend> backend) {
  check_pipeline_options(options);
  PipelineOptions resolved = options;
  if (resolved.device.empty()) resolved.device = "cpu";
  return Pipeline(std::make_unique<Impl>(std::move(bundle), resolved, std::move(backend)));
}

const Bundle& Pipeline::bundle() const { return impl_->state.bundle; }

std::string Pipeline::backend_description() const { return impl_->state.modules.backend().description(); }

PromptEmbeds Pipeline::encode_prompt(const std::string& prompt, bool truncate, const Callbacks& callbacks) {
  const CallGuard::Scope scope(impl_->guard);
  return Generation(impl_->state, callbacks).encode_prompt(prompt, truncate);
}

GenerationPlan Pipeline::plan(const GenerateOptions& options) const { return plan_only(impl_->state, options); }

std::string Pipeline::activations_file(const std::string& module) const {
  return impl_->state.modules.activations_file(module);
}

GenerationPlan Pipeline::plan_decode(const DecodeOptions& options) const {
  return plan_decode_only(impl_->state, options);
}

Video Pipeline::decode_latents(const DecodeOptions& options, const Callbacks& callbacks) {
  const CallGuard::Scope scope(impl_->guard);
  return Generation(impl_->state, callbacks).decode_latents(options);
}

LayerProfile Pipeline::take_layer_profile() {
  const CallGuard::Scope scope(impl_->guard);
  if (!impl_->state.options.profile_layers) {
    throw InvalidArgument("this pipeline times no layers; open it with profile_layers.");
  }
  return impl_->state.modules.take_layer_profile();
}

Video Pipeline::generate(const GenerateOptions& options, const Callbacks& callbacks) {
  const CallGuard::Scope scope(impl_->guard);
  return Generation(impl_->state, callbacks).run(options);
}

}  // namespace vidrt
