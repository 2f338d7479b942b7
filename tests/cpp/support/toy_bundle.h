// A tiny, valid bundle in a temporary folder. Its graphs declare the right inputs, outputs and weights but compute
// nothing: the reference backend takes their place. Tests damage one thing at a time.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/temp_folder.h"
#include "vidrt/bundle.h"

namespace vidrt::testing {

struct ToyBundleOptions {
  std::string form = "causal";  // "causal" | "framewise" | "whole"
  int latent_channels = 4;
  int spatial_ratio = 2;
  int temporal_ratio = 4;
  int text_length = 16;
  int text_dim = 6;
  int num_caches = 2;        // causal only
  bool text_mask = true;     // the denoiser has one
  bool text_counts = false;  // and these
  bool vae_encoder = false;  // and image_conditioning first_latent_frame
  bool decoder_only = false;
  bool single_first_frame = false;                // of form "whole"; "causal" always has one
  std::optional<ReceptiveField> receptive_field;  // of form "whole"
  std::vector<std::string> words = {"red", "blue", "green", "circle", "square", "a", "moves", "left", "right"};
};

/// The manifest and the files as a bundle of these options has them; a file's key is its relative path.
struct ToyBundleFiles {
  nlohmann::json manifest;
  std::map<std::string, std::string> files;
};
ToyBundleFiles make_toy_bundle(const ToyBundleOptions& options = {});

class ToyBundle {
 public:
  explicit ToyBundle(const ToyBundleOptions& options = {});

  const std::string& path() const { return folder_.path(); }
  std::string file_path(const std::string& relative) const { return folder_ / relative; }

  /// Change the manifest and write it.
  void edit(const std::function<void(nlohmann::json&)>& change);
  /// Replace a module's graph and bring its size and hash in the manifest up to date.
  void replace_graph(const std::string& module, const std::string& model);
  /// Write a file without telling the manifest.
  void write(const std::string& relative, const std::string& bytes) { write_bytes(file_path(relative), bytes); }

  const nlohmann::json& manifest() const { return manifest_; }
  /// The weights file, relative.
  std::string weights() const { return manifest_["data_files"].items().begin().key(); }

 private:
  TempFolder folder_;
  nlohmann::json manifest_;
};

}  // namespace vidrt::testing
