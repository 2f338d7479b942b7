// Weights in memory in the dtype of computation, shared by all sessions of the process that use the same ones.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/lifted_graph.h"
#include "runtime/mapped_file.h"
#include "vidrt/bundle.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// One weight. Its bytes lie in the mapped file where they can, else in memory of its own.
struct Weight {
  TensorView view;  // read only
  std::shared_ptr<const MappedFile> file;
  std::vector<std::uint8_t> own;
};

/// Loads the weights of one graph of a bundle. Not thread-safe, but loaders in several threads find each other's weights.
class WeightLoader {
 public:
  explicit WeightLoader(const Bundle& bundle) : bundle_(bundle) {}

  /// The weight, from another session of the process where one holds it. The bytes stay as long as the result is held.
  /// Throws BundleError when its file changed since the bundle was opened.
  std::shared_ptr<const Weight> load(const LiftedWeight& weight);

  /// The bundle's file at this location, mapped once. Throws BundleError.
  std::shared_ptr<const MappedFile> file(const std::string& location);

 private:
  const Bundle& bundle_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

/// IEEE half-precision or bfloat16 numbers to float32, exactly. Neither side needs to be aligned.
void widen(const std::uint8_t* source, DType dtype, std::size_t count, std::uint8_t* target);

}  // namespace vidrt
