// The interface between the pipeline and whatever runs a graph. Nothing here knows a framework.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "vidrt/bundle.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// A tensor bound to a graph's input or output by name. The memory is the caller's.
struct NamedTensor {
  std::string name;
  TensorView view;
};

/// A loaded module. Not thread-safe: one run at a time.
class Session {
 public:
  virtual ~Session() = default;
  /// Run the graph once. All inputs and outputs are bound to the given memory of the backend's device without copies;
  /// every output's shape is known to the caller. Throws BackendError when the graph fails or a shape differs from the
  /// one bound.
  virtual void run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs) = 0;
};

struct SessionOptions {
  int threads = 0;  // 0 = one per physical core
};

/// Loads modules. Shared by the sessions of one pipeline; thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  /// The vocabulary's word: "onnxruntime", ...
  virtual std::string name() const = 0;
  /// Name and version of the library: "onnxruntime 1.32.0".
  virtual std::string description() const = 0;
  /// Whether a custom op ("vidrt::DepthwiseConv3d") can be run.
  virtual bool has_custom_op(const std::string& name) const = 0;
  /// Where tensors that sessions are run on live. It lives as long as the backend.
  virtual Device& device() const { return host_device(); }
  /// Load one variant of one module. Throws BackendError.
  virtual std::unique_ptr<Session> load(const Bundle& bundle, const std::string& module, const Variant& variant,
                                        const SessionOptions& options) = 0;
};

/// The first variant, in the manifest's order, that `backend` can run; `wanted` insists on an id.
/// Throws BackendError listing why each was refused.
const Variant& choose_variant(const Module& module, const Backend& backend, const std::string& wanted);

/// Make the backend for PipelineOptions::backend and ::device. Throws InvalidArgument for unknown words, BackendError
/// when its library is missing (the message says what to install and lists where it was looked for).
std::shared_ptr<Backend> make_backend(const std::string& backend, const std::string& device);

}  // namespace vidrt
