// manifest.json (docs/bundle.md, schema version 1) to a checked Manifest.
#pragma once

#include <cstdint>
#include <string>

#include "vidrt/bundle.h"

namespace vidrt {

inline constexpr int kSchemaVersion = 1;
inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{16} << 20U;

/// Parse and check a manifest. `file` is its path, for messages. Everything that can be judged without looking at
/// other files is checked: types, ranges, unknown and missing keys, paths, limits that agree with one another, and the
/// module contracts. Variant::weight_bytes stays 0. Throws BundleError.
Manifest parse_manifest(const std::string& text, const std::string& file);

}  // namespace vidrt
