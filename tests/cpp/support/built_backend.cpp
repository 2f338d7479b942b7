#include "support/built_backend.h"

#include <utility>

#include "runtime/symbols.h"

namespace vidrt::testing {
namespace {

// The symbols that the inputs' shapes give, and what follows from them.
SymbolValues symbols_of(const Variant& variant, const std::map<std::string, TensorView>& tensors, const VaeConfig& vae,
                        const std::string& module) {
  SymbolValues symbols;
  for (const TensorSpec& input : variant.inputs) {
    const Shape& shape = tensors.at(input.name).shape;
    for (std::size_t i = 0; i < shape.size(); ++i) symbols[input.shape[i]] = shape[i];
  }
  symbols["H"] = symbols["h"] * vae.spatial_ratio;
  symbols["W"] = symbols["w"] * vae.spatial_ratio;
  symbols["F"] = module == "vae_decoder_first" ? 1 : symbols["k"] * vae.temporal_ratio;
  return symbols;
}

}  // namespace

ReferenceContext::ReferenceContext(std::unique_ptr<Session> session, const ModuleRequest& request,
                                   std::size_t workspace_bytes)
    : session_(std::move(session)),
      vae_(request.bundle.manifest().vae),
      module_(request.module),
      variant_(request.variant),
      workspace_bytes_(workspace_bytes) {
  for (const TensorSpec& spec : variant_.inputs) ports_.push_back({spec.name, spec.dtype, true});
  for (const TensorSpec& spec : variant_.outputs) ports_.push_back({spec.name, spec.dtype, false});
  for (const trt::Port& port : ports_) tensors_[port.name].dtype = port.dtype;
}

Shape ReferenceContext::output_shape(const std::string& name) {
  const Shape shape =
      evaluate_shape(*find_tensor(variant_.outputs, name), symbols_of(variant_, tensors_, vae_, module_));
  tensors_[name].shape = shape;
  return shape;
}

void ReferenceContext::enqueue() {
  std::vector<NamedTensor> inputs;
  std::vector<NamedTensor> outputs;
  for (const trt::Port& port : ports_) (port.is_input ? inputs : outputs).push_back({port.name, tensors_[port.name]});
  session_->run(inputs, outputs, workspace_);
  if (sink_) sink_("all of " + module_, 1.0);
}

std::unique_ptr<Session> BuiltBackend::load(const ModuleRequest& request, const SessionOptions& options) {
  auto context =
      std::make_unique<ReferenceContext>(reference_->load(request, options), request, reference_->workspace_bytes);
  return std::make_unique<trt::TrtSession>(
      *device_, std::move(context),
      trt::TrtSessionOptions{request.module, request.sizes, cuda_graphs, options.profile_layers, {}});
}

}  // namespace vidrt::testing
