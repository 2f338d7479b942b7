// Weight matrices that a graph can multiply by as they lie in the file, instead of by a copy that suits the kernel.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vidrt {

/// A large matrix that a graph only multiplies by from the right: W of MatMul(X, W), where W may be cast from a narrow
/// type to float32 and be transposed before.
struct StoredMatrix {
  std::string name;                // of the initialiser
  std::uint64_t stored_bytes = 0;  // in the file, whose pages are the system's cache
  std::uint64_t packed_bytes = 0;  // of what a kernel packs of it
  std::uint64_t held_bytes = 0;    // of weights that are handed over for that: in float32, the right way round

  /// What is saved where it is multiplied by as it lies in the file.
  std::uint64_t saved_bytes() const { return held_bytes + packed_bytes - stored_bytes; }
};

/// Those of a serialized ModelProto, in the order of its initialisers; none where a node has a subgraph. Matrices of
/// less than 1 MiB are left out. `file` is the graph's path, for messages. Throws BundleError for a malformed graph.
std::vector<StoredMatrix> stored_matrices(std::string_view model, const std::string& file);

/// The first of them that together save at least `bytes`, by name; all, where that is not enough.
std::set<std::string> matrices_that_save(const std::vector<StoredMatrix>& matrices, std::uint64_t bytes);

}  // namespace vidrt
