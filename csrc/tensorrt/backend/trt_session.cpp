#include "tensorrt/backend/trt_session.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "runtime/stopwatch.h"
#include "vidrt/errors.h"

namespace vidrt::trt {
namespace {

// Sequential guidance and the two banks of a decoder's caches take turns with two; more are of a loop that has ended.
constexpr std::size_t kMaxKnown = 4;

using Tensors = std::vector<NamedTensor>;

bool same_workspace(const Workspace& a, const Workspace& b) { return a.data == b.data && a.bytes == b.bytes; }

}  // namespace

TrtSession::TrtSession(GpuDevice& device, std::unique_ptr<EngineContext> context, TrtSessionOptions options)
    : device_(device), context_(std::move(context)), options_(std::move(options)) {
  if (!options_.profile_layers) return;
  context_->tell_layers([this](const std::string& name, double ms) { layer_times_.add(name, "", ms); });
}

TrtSession::~TrtSession() {
  try {
    device_.synchronize();
  } catch (const std::exception&) {
    // Whoever waits for the frames has been told.
  }
}

bool TrtSession::takes(const ModuleSizes& sizes) const { return takes_sizes(options_.sizes, sizes); }

void TrtSession::run(const Tensors& inputs, const Tensors& outputs, const Workspace& workspace) {
  if (const Known* known = find(inputs, outputs, workspace); known != nullptr && known->recorded != nullptr) {
    return known->recorded->replay();
  }
  const Binding binding{inputs, outputs, workspace};
  apply(binding);
  if (options_.profile_layers) return enqueue_timed();
  if (Known* known = find(inputs, outputs, workspace); known != nullptr) return enqueue(known);
  // The first run on these tensors is a plain one: an engine may set itself up in it, which is not to be recorded.
  context_->enqueue();
  if (known_.size() == kMaxKnown) known_.pop_front();
  known_.push_back({binding, options_.cuda_graphs, nullptr});
}

TrtSession::Known* TrtSession::find(const Tensors& inputs, const Tensors& outputs, const Workspace& workspace) {
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
    return same_workspace(known.binding.workspace, workspace) && same_tensors(known.binding.inputs, inputs) &&
           same_tensors(known.binding.outputs, outputs);
  });
  return found == known_.end() ? nullptr : &*found;
}

void TrtSession::enqueue(Known* known) {
  if (known->can_be_recorded) {
    known->recorded = device_.record([this] { context_->enqueue(); });
    known->can_be_recorded = known->recorded != nullptr;
  }
  if (known->recorded != nullptr) return known->recorded->replay();
  context_->enqueue();
}

void TrtSession::enqueue_timed() {
  device_.synchronize();  // what is queued before the run is none of its time
  layer_times_.drop_run();
  const Stopwatch stopwatch;
  context_->enqueue();
  device_.synchronize();
  layer_times_.end_run(stopwatch.elapsed_ms());
}

LayerTimes TrtSession::take_layer_times() { return std::exchange(layer_times_, {}); }

void TrtSession::apply(const Binding& binding) {
  const bool reshaped =
      !same_shapes(applied_.inputs, binding.inputs) || !same_shapes(applied_.outputs, binding.outputs);
  const bool moved = reshaped || !same_workspace(applied_.workspace, binding.workspace);
  // What was recorded holds for the shapes and the workspace that it was recorded with: TensorRT says so of shapes,
  // and the workspace may be somebody else's by now. It may still run.
  if (moved && !known_.empty()) {
    device_.synchronize();
    known_.clear();
  }
  applied_ = {};  // should anything below fail
  if (reshaped) set_shapes(binding);
  if (moved) set_workspace(binding.workspace);
  for (const Tensors* tensors : {&binding.inputs, &binding.outputs}) {
    for (const NamedTensor& tensor : *tensors) context_->bind(tensor.name, tensor.view.data);
  }
  applied_ = binding;
}

void TrtSession::set_workspace(Workspace lent) {
  const std::size_t needed = context_->workspace_bytes();
  if (needed > lent.bytes) {
    // What the builder logged, and so the plan counts on, may be less than what the device needs.
    device_.synchronize();
    own_workspace_.reset();
    own_workspace_ = std::make_unique<DeviceBuffer>(device_, needed);
    options_.warn(options_.module + " computes in " + std::to_string(needed) +
                  " bytes, but its engine's sidecar says " + std::to_string(lent.bytes) +
                  "; the plan counts too little by the whole of them.");
    lent = {own_workspace_->data(), needed};
  }
  context_->use_workspace(lent.data, lent.bytes);
}

void TrtSession::set_shapes(const Binding& binding) {
  check_ports(binding.inputs, true);
  check_ports(binding.outputs, false);
  for (const NamedTensor& input : binding.inputs) context_->set_input_shape(input.name, input.view.shape);
  for (const NamedTensor& output : binding.outputs) {
    const Shape shape = context_->output_shape(output.name);
    if (shape == output.view.shape) continue;
    throw BackendError(options_.module + ": the engine gives " + output.name + " as " + shape_string(shape) +
                       ", expected " + shape_string(output.view.shape) + "; build it again from this bundle.");
  }
}

void TrtSession::check_ports(const Tensors& tensors, bool are_inputs) const {
  const std::string side = are_inputs ? "input" : "output";
  const auto is_port = [&](const Port& port) { return port.is_input == are_inputs; };
  for (const Port& port : context_->ports()) {
    if (!is_port(port)) continue;
    const auto bound = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const NamedTensor& tensor) { return tensor.name == port.name; });
    if (bound == tensors.end()) {
      throw BackendError(options_.module + ": the engine has the " + side + " " + port.name +
                         ", which this bundle's module has not; build it again from this bundle.");
    }
    if (bound->view.dtype != port.dtype) {
      throw BackendError(options_.module + ": the engine's " + side + " " + port.name + " is " +
                         dtype_name(port.dtype) + ", expected " + dtype_name(bound->view.dtype) +
                         "; build it again from this bundle.");
    }
  }
  const auto& ports = context_->ports();
  for (const NamedTensor& tensor : tensors) {
    const bool known = std::any_of(ports.begin(), ports.end(),
                                   [&](const Port& port) { return is_port(port) && port.name == tensor.name; });
    if (!known) {
      throw BackendError(options_.module + ": the engine has no " + side + " " + tensor.name +
                         "; build it again from this bundle.");
    }
  }
}

}  // namespace vidrt::trt
