// An engine's execution context as TrtSession drives it: what it takes of TensorRT, so that the session can be tested
// without it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "vidrt/tensor.h"

namespace vidrt::trt {

/// An input or output of an engine.
struct Port {
  std::string name;
  DType dtype = DType::kFloat32;
  bool is_input = false;
};

/// Told what a layer took.
using LayerSink = std::function<void(const std::string& name, double ms)>;

/// Shapes and addresses stay set until others are. Every function throws BackendError with what TensorRT said.
class EngineContext {
 public:
  virtual ~EngineContext() = default;
  virtual const std::vector<Port>& ports() const = 0;

  /// Throws for a shape outside the engine's profile.
  virtual void set_input_shape(const std::string& name, const Shape& shape) = 0;
  /// Of an output, once the shapes of all inputs are set.
  virtual Shape output_shape(const std::string& name) = 0;
  /// What these shapes take of a workspace.
  virtual std::size_t workspace_bytes() = 0;

  virtual void use_workspace(void* data, std::size_t bytes) = 0;
  virtual void bind(const std::string& name, void* data) = 0;
  /// Queue one run on the device's stream.
  virtual void enqueue() = 0;
  /// From now on every run is waited for in enqueue(), which tells what its layers took.
  virtual void tell_layers(LayerSink sink) = 0;
};

}  // namespace vidrt::trt
