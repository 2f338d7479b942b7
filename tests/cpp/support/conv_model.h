// A model of one node of the vidrt operators, and its run in ONNX Runtime.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "onnxruntime/ort_handle.h"
#include "onnxruntime/ort_library.h"

namespace vidrt::testing {

/// Sizes as a model declares them: numbers, or names.
using ModelShape = std::vector<std::variant<std::int64_t, std::string>>;

/// An input of the node: of the graph, or with its bytes in the model. Without a name: absent.
struct ModelInput {
  std::string name;
  int type = 1;  // ONNX's number: 1 float32, 10 float16, 11 float64, 16 bfloat16
  ModelShape shape = {};
  std::string constant = {};  // raw bytes of an initialiser
};

using AttributeValue = std::variant<std::string, std::vector<std::int64_t>, std::int64_t, float>;

struct ConvModel {
  std::string op = "DepthwiseConv3d";
  std::string node = "conv";
  std::vector<ModelInput> inputs;
  std::vector<std::string> outputs = {"Y"};  // an empty name: absent
  int output_type = 1;
  std::map<std::string, AttributeValue> attributes;

  std::string bytes() const;
};

/// A tensor in the caller's memory.
struct HostTensor {
  std::string name;
  int type;
  std::vector<std::int64_t> shape;
  void* data;
  std::size_t bytes;
};

/// Of a session that knows the operators.
struct ConvSessionOptions {
  int threads = 1;
  std::vector<HostTensor> initializers = {};  // constants on the caller's memory, in place of the model's
  std::string library = {};                   // register this library instead of what is linked in
};

class ConvSession {
 public:
  /// Throws BackendError.
  explicit ConvSession(const std::string& model, const ConvSessionOptions& options = {});

  /// Outputs are written where they are. Throws BackendError. Several threads may run at once.
  void run(const std::vector<HostTensor>& inputs, const std::vector<HostTensor>& outputs) const;

  /// The shape of a result as it was inferred: numbers and names; "?" where neither is known. Empty: nothing is known.
  std::vector<std::string> output_shape(std::size_t index) const;

 private:
  OrtHandle<OrtValue> wrap(const HostTensor& tensor) const;

  const OrtApi& api_;
  OrtHandle<OrtMemoryInfo> memory_;
  std::vector<OrtHandle<OrtValue>> initializers_;
  OrtHandle<::OrtSession> session_;
};

}  // namespace vidrt::testing
