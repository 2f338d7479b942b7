// An ONNX graph whose weights are handed to the backend, so that sessions can share them.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/onnx_graph.h"
#include "vidrt/tensor.h"

namespace vidrt {

constexpr std::uint64_t kWeightAlignment = 64;  // of the exporter's files; others are left to the backend

/// A weight that the graph's owner has to provide.
struct LiftedWeight {
  std::string name;         // of the initialiser in the lifted graph
  ExternalTensor stored;    // where its bytes lie, and as what
  bool widened = false;     // float16 or bfloat16 in the file, float32 in the lifted graph
  bool transposed = false;  // a matrix that the lifted graph holds the other way round
  // Values that are computed multiply by it, or look up rows of it, and that is all: nothing can be computed of it
  // beforehand, so that only those who run the graph need its bytes. Of large matrices alone.
  bool only_operand = false;
  bool as_stored = false;  // of AsStored::matrices: every run reads it where it lies
  bool in_file = false;    // a large kernel of which the lifted graph says where it lies, for whoever reorders it

  /// In the lifted graph.
  DType dtype() const;
  Shape shape() const;
};

/// What multiplies by matrices as they lie in the file.
enum class StoredProduct {
  kFusedMatMul,  // com.microsoft's, and MatMul; after a Cast in every run where the matrix is narrow
  kOwnMatMul,    // vidrt::MatMul (onnxruntime/custom_ops/matmul_op.h)
};

/// Matrices (streamable_weights.h) that are not made ready, by the names of their initialisers.
struct AsStored {
  std::set<std::string> matrices{};
  StoredProduct product = StoredProduct::kFusedMatMul;
};

struct LiftedGraph {
  std::string model;                  // a serialized ModelProto
  std::vector<LiftedWeight> weights;  // every external initialiser of its main graph that a DType can hold
};

/// Take a graph's external weights out of a serialized ModelProto. Where a weight only goes through a Cast from a
/// narrow type to float32 ("fp16 stored, cast at load") or a Transpose of a matrix (how a linear layer is exported),
/// those nodes are dropped and their result becomes the initialiser: else every session would fold a copy of its own.
/// External tensors elsewhere (subgraphs, attributes) stay as they are. `file` is the graph's path, for messages.
/// Throws BundleError for a malformed graph.
LiftedGraph lift_weights(std::string_view model, const std::string& file, const AsStored& as_stored = {});

}  // namespace vidrt
