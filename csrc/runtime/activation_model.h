// What a module takes of memory that its backend manages itself, as measured on this machine (docs/memory.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "runtime/session.h"

namespace vidrt {

/// Bytes of activations = sum of coefficients times what activation_terms() gives, or 0 where that is less. Only the
/// first may be negative: what loading has left free is used first.
struct ActivationModel {
  std::uint64_t packed_bytes = 0;  // held as long as the module is loaded, besides its weights
  std::array<double, 5> coefficients{};

  /// For what activation_terms() gives; 0 to 2^62.
  std::uint64_t activation_bytes(const std::array<double, 5>& terms) const;
};

/// 1, B n, B n², B T n, B s n for B prompts a run of n = s T latent voxels: T latent frames (of the clip, or of a call
/// of a decoder) of s voxels. Convolutions and attention over latent frames, voxels or the text are linear or quadratic
/// in these.
std::array<double, 5> activation_terms(const VaeConfig& vae, const ModuleSizes& sizes);

/// What has been written to `path`; nothing where there is no such file, or one that says something else.
std::optional<ActivationModel> read_activation_model(const std::string& path);

/// Where it is kept: named by the hash of the graph, the backend, the processor, the number of threads and the version.
/// "" where the user has no home.
std::string activation_model_path(const Variant& variant, const Backend& backend, int threads);

}  // namespace vidrt
