// The interface between the pipeline and whatever runs a graph. Nothing here knows a framework.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "runtime/layer_times.h"
#include "vidrt/bundle.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// A tensor bound to a graph's input or output by name. The memory is the caller's.
struct NamedTensor {
  std::string name;
  TensorView view;
};

/// Memory of the backend's device that a run may use as it likes.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// Whether two lists name the same tensors with the same dtypes and shapes, in the same order; and whether these are
/// also the same memory.
bool same_shapes(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b);
bool same_tensors(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b);

struct SizeRange {
  std::int64_t min = 1;
  std::int64_t max = 1;

  bool holds(const SizeRange& other) const { return min <= other.min && other.max <= max; }
};

/// What a module is going to be run for, by name: height and width (pixels), num_frames, batch (prompts a run),
/// decode_chunk (latent frames a run of a decoder). Holds what the module depends on.
using ModuleSizes = std::map<std::string, SizeRange>;

/// Whether what takes the sizes `built` takes `asked`. A size that is not in `built` does not matter.
bool takes_sizes(const ModuleSizes& built, const ModuleSizes& asked);

/// One variant of one module, wanted for these sizes.
struct ModuleRequest {
  const Bundle& bundle;
  const std::string& module;
  const Variant& variant;
  const ModuleSizes& sizes;
};

/// What a loaded module takes of the device's memory, known before it is loaded.
struct ModuleNeeds {
  std::uint64_t weight_bytes = 0;
  std::uint64_t workspace_bytes = 0;  // that its caller lends it for a run; 0: it takes its own
  // Of the weights, what may stay on the host and be streamed to the device in every run; 0: nothing.
  std::uint64_t streamable_bytes = 0;
  std::uint64_t staging_bytes = 0;  // of workspace that a run takes besides where anything is streamed
  // What was measured, where it was: held besides weights, and taken by a run besides the workspace.
  std::uint64_t packed_bytes = 0;
  std::uint64_t activation_bytes = 0;
  std::vector<double> activation_terms{};  // runtime/activation_model.h
  bool activations_known = false;
};

/// A loaded module. Not thread-safe: one run at a time.
class Session {
 public:
  virtual ~Session() = default;
  /// Run the graph once. All inputs and outputs are bound to the given memory of the backend's device without copies;
  /// every output's shape is known to the caller. The workspace is as large as Backend::needs() said. Throws
  /// BackendError when the graph fails or a shape differs from the one bound.
  virtual void run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
                   const Workspace& workspace) = 0;
  /// Whether it can be run for these sizes.
  virtual bool takes(const ModuleSizes&) const { return true; }
  /// What the layers took in all runs, where SessionOptions::profile_layers asked for it. Called once, after the last
  /// run. Throws BackendError.
  virtual LayerTimes take_layer_times() { return {}; }
};

struct SessionOptions {
  int threads = 0;                   // 0 = one per physical core
  bool cuda_graphs = true;           // replay runs that repeat; counts for TensorRT
  std::uint64_t streamed_bytes = 0;  // of the module's weights, at most ModuleNeeds::streamable_bytes
  bool profile_layers = false;       // keep what each layer takes; every run is waited for, none is replayed
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
  /// Whether a text encoder takes fewer tokens than the manifest's length, where its graph does.
  virtual bool takes_any_length() const { return true; }
  /// Where tensors that sessions are run on live. It lives as long as the backend.
  virtual Device& device() const { return host_device(); }
  /// Why this backend has nothing to load for a variant that it could run; empty where it has.
  virtual std::string lacks(const Bundle&, const std::string& /*module*/, const Variant&) const { return ""; }
  /// Throws BackendError where nothing can be loaded that takes the sizes.
  virtual ModuleNeeds needs(const ModuleRequest& request) const { return {loaded_weight_bytes(request.variant), 0}; }
  /// Whether sessions of variants with the same weights hold them once.
  virtual bool shares_weights() const { return true; }
  /// Throws BackendError.
  virtual std::unique_ptr<Session> load(const ModuleRequest& request, const SessionOptions& options) = 0;
  /// Give memory that only waits for further runs back to the system. From any thread.
  virtual void release_unused_memory() {}
  /// What the libraries behind it warned of since the last call.
  virtual std::vector<std::string> take_warnings() { return {}; }

 protected:
  /// Bytes that a variant's weights take in the dtype that it computes in.
  static std::uint64_t loaded_weight_bytes(const Variant& variant);
};

/// The first variant of a module, in the manifest's order, that `backend` can run; `wanted` insists on an id.
/// Throws BackendError listing why each was refused.
const Variant& choose_variant(const Bundle& bundle, const Module& module, const Backend& backend,
                              const std::string& wanted);

}  // namespace vidrt
