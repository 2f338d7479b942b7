#include "runtime/graph_file.h"

#include "runtime/paths.h"
#include "runtime/sha256.h"
#include "vidrt/errors.h"

namespace vidrt {

std::string read_graph_file(const Bundle& bundle, const Variant& variant) {
  const std::string path = bundle.resolve(variant.file);
  check_file_size(path, variant.bytes);
  std::string model = read_file(path, variant.bytes);
  check_file_hash(path, sha256_of(model), variant.sha256);
  return model;
}

void check_file_size(const std::string& path, std::uint64_t expected) {
  const std::uint64_t size = file_size(path);
  if (size != expected) {
    throw BundleError("'" + path + "' has " + std::to_string(size) + " bytes, expected " + std::to_string(expected) +
                      " by manifest.json; the copy is incomplete or was edited. Fetch or export the bundle again.");
  }
}

void check_file_hash(const std::string& path, const std::string& hash, const std::string& expected) {
  if (hash != expected) {
    throw BundleError("'" + path + "' has the SHA-256 " + hash + ", expected " + expected +
                      " by manifest.json; it is damaged or was edited. Fetch or export the bundle again.");
  }
}

}  // namespace vidrt
