// Weights that need not be held while a graph is loaded: it can use them as they lie in the file.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/onnx_graph.h"

namespace vidrt {

constexpr std::uint64_t kLargeWeight = std::uint64_t{1} << 20U;  // bytes; what is smaller is not worth the trouble

/// A large weight that a graph uses in one way alone, perhaps cast from a narrow type to float32 before: a matrix that
/// it multiplies by from the right (W of MatMul(X, W), where W may be transposed before), or a kernel that it convolves
/// with (W of Conv, of two or three spatial axes, not depthwise).
struct StreamableWeight {
  enum class Use { kMatrix, kKernel };

  std::string name;  // of the initialiser
  Use use = Use::kMatrix;
  std::uint64_t stored_bytes = 0;  // in the file, whose pages are the system's cache
  std::uint64_t float_bytes = 0;   // in float32
  std::uint64_t packed_bytes = 0;  // of what an operator packs of it
  // Of what is handed over for that: in float32, matrices the right way round. Nothing where packing reads the file.
  std::uint64_t held_bytes = 0;
  // What it takes for a moment in every run: kernels are in memory while a node convolves with them.
  std::uint64_t staged_bytes = 0;

  /// What streaming it saves. Pages of a matrix are read in place and stay; those of a kernel are let go.
  std::uint64_t saved_bytes() const { return held_bytes + packed_bytes - (use == Use::kMatrix ? stored_bytes : 0); }
};

/// Whether a tensor is the kernel of a convolution over two or three axes, not depthwise, of 1 MiB or more.
bool is_large_kernel(const ExternalTensor& tensor);
/// Whether ONNX Runtime reorders such a kernel while a session is made, instead of reading it in every run as it is.
bool is_packed_kernel(const ExternalTensor& tensor);

/// Those of a serialized ModelProto, in the order in which they should be streamed; none where a node has a subgraph.
/// Weights of less than 1 MiB are left out. `file` is the graph's path, for messages. Throws BundleError for a
/// malformed graph.
std::vector<StreamableWeight> streamable_weights(std::string_view model, const std::string& file);

/// What weights save that are streamed together: the kernels of one node are in memory at a time.
std::uint64_t saved_together(const std::vector<StreamableWeight>& weights);

/// Names of initialisers.
struct StreamedNames {
  std::set<std::string> matrices, kernels;
};

/// The first of them that together save at least `bytes`; all, where that is not enough.
StreamedNames weights_that_save(const std::vector<StreamableWeight>& weights, std::uint64_t bytes);

}  // namespace vidrt
