// A variant's graph file, read and checked in one go: what is hashed is what is used.
#pragma once

#include <string>

#include "vidrt/bundle.h"

namespace vidrt {

/// The serialized ModelProto of `variant`. Throws BundleError when its size or hash is not the manifest's.
std::string read_graph_file(const Bundle& bundle, const Variant& variant);

/// Throws BundleError when the file at `path` has another size.
void check_file_size(const std::string& path, std::uint64_t expected);

/// Throws BundleError when `hash`, that of the file at `path`, is another.
void check_file_hash(const std::string& path, const std::string& hash, const std::string& expected);

}  // namespace vidrt
