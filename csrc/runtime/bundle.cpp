#include "vidrt/bundle.h"

#include <filesystem>
#include <system_error>

#include "runtime/graph_file.h"
#include "runtime/manifest_reader.h"
#include "runtime/onnx_graph.h"
#include "runtime/paths.h"
#include "runtime/sha256.h"
#include "runtime/verified_files.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

namespace fs = std::filesystem;

std::string open_folder(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::canonical(path, error);
  if (error) {
    throw BundleError("bundle '" + path + "' cannot be opened: " + error.message() +
                      "; expected a folder with a manifest.json. Check the path.");
  }
  if (!fs::is_directory(absolute)) {
    throw BundleError("bundle '" + path + "' is a file; expected the folder that holds manifest.json.");
  }
  if (!fs::exists(absolute / "manifest.json")) {
    throw BundleError("bundle '" + path +
                      "' has no manifest.json; expected a bundle as vidrt export writes it, not a " +
                      "PyTorch or diffusers model folder. Export the model first.");
  }
  return absolute.string();
}

void check_graph(const Bundle& bundle, Variant* variant) {
  const std::string model = read_graph_file(bundle, *variant);
  const std::string path = bundle.resolve(variant->file);
  const OnnxGraph graph = read_onnx_graph(model, path);
  variant->weight_bytes = check_onnx_graph(graph, *variant, bundle.manifest().data_files, path);
}

void verify_file(const std::string& path, const DataFile& file, bool unless_verified) {
  const FileStamp stamp = file_stamp(path, file.sha256);  // before the hash: a file edited meanwhile is hashed again
  if (unless_verified && is_verified(stamp)) return;
  check_file_size(path, file.bytes);
  try {
    check_file_hash(path, sha256_of_file(path), file.sha256);
  } catch (const IoError& error) {
    throw BundleError(error.what());
  }
  remember_verified(stamp);
}

}  // namespace

Bundle Bundle::open(const std::string& path) {
  Bundle bundle;
  bundle.path_ = open_folder(path);
  const std::string manifest_path = bundle.resolve("manifest.json");
  bundle.manifest_json_ = read_file(manifest_path, kMaxManifestBytes);
  bundle.manifest_ = parse_manifest(bundle.manifest_json_, manifest_path);
  for (const auto& [name, file] : bundle.manifest_.data_files) check_file_size(bundle.resolve(name), file.bytes);
  for (const std::string& file : bundle.manifest_.tokenizer.files) bundle.resolve(file);
  for (auto& [name, module] : bundle.manifest_.modules) {
    for (Variant& variant : module.variants) check_graph(bundle, &variant);
  }
  return bundle;
}

std::string Bundle::resolve(const std::string& relative) const { return resolve_inside(path_, relative); }

const Module& Bundle::module(const std::string& name) const {
  const auto found = manifest_.modules.find(name);
  if (found != manifest_.modules.end()) return found->second;
  std::string names;
  for (const auto& entry : manifest_.modules) names += (names.empty() ? "" : ", ") + entry.first;
  throw BundleError("bundle '" + path_ + "' has no module '" + name + "'; it has: " + names + ".");
}

void Bundle::verify_weights() const {
  for (const auto& [name, file] : manifest_.data_files) verify_file(resolve(name), file, false);
}

void Bundle::verify_weights_once() const {
  for (const auto& [name, file] : manifest_.data_files) verify_file(resolve(name), file, true);
}

}  // namespace vidrt
