// The bundle: a portable folder with a manifest, ONNX graphs, weights and tokenizer files (docs/bundle.md).
// This reader is the one validator; Python's Bundle is a view of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vidrt/api.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// One declared tensor of a module. A dimension is a number or a symbol ("B", "T", "4*k", ...).
struct TensorSpec {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::string> shape;
};

/// PyTorch against the exported graph, as measured at export over several shapes.
struct Parity {
  double max_abs = 0.0;    // largest absolute difference over all outputs and shapes
  double tolerance = 0.0;  // what the exporter demanded
  int cases = 0;           // shapes tried
  std::string method = "run";  // "run": the graph itself ran; "emulated": fp32 with every result rounded to its precision
  // The smallest cosine between a row of an output and PyTorch's, and what was demanded; of variants stored in int8.
  std::optional<double> cosine;
  std::optional<double> least_cosine;
};

/// One exported form of a module.
struct Variant {
  std::string id;                        // "fp32", ...
  std::string file;                      // graph, relative to the bundle
  std::string sha256;                    // of the graph file, lower-case hex
  std::uint64_t bytes = 0;               // of the graph file
  std::vector<std::string> data_files;   // keys of Manifest::data_files that the graph refers to
  int opset = 0;
  std::string precision;                 // compute dtype: "fp32" | "fp16" | "bf16"
  std::string storage;                   // most weights' dtype in the data files: a precision or "int8"
  std::vector<std::string> custom_ops;   // "vidrt::DepthwiseConv3d", ...
  std::vector<std::string> backends;     // those it runs on, in the vocabulary of PipelineOptions::backend
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::optional<Parity> parity;
  std::uint64_t weight_bytes = 0;        // stored bytes of the external data the graph refers to; counted by the reader
};

struct Module {
  std::string name;  // "text_encoder" | "denoiser" | "vae_decoder" | "vae_decoder_first" | ...
  std::vector<Variant> variants;  // in order of preference, never empty
};

struct DataFile {
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct TokenizerConfig {
  std::string kind;                // "wordlevel" | "sentencepiece" | "clip_bpe"
  std::vector<std::string> files;  // relative to the bundle
  int max_length = 0;              // tokens, end marker included
  std::int64_t pad_id = 0;
  std::int64_t eos_id = 0;
  std::optional<std::int64_t> unk_id;
  std::optional<std::int64_t> bos_id;  // begins every prompt: set for "clip_bpe" and for nothing else
  bool byte_fallback = true;  // false: text that a sentencepiece model would spell in bytes is unknown
  std::map<std::string, std::int64_t> added_tokens;  // literal text -> id, split off before the model sees the rest
  std::map<std::string, std::int64_t> normalized_added_tokens;  // the same, split off the normalised text: "clip_bpe"
};

/// Valid values are min, min + step, ... up to max.
struct Limit {
  int min = 1;
  int max = 1;
  int step = 1;
  int measured_min = 1;  // the range in which quality was measured; outside it is a warning
  int measured_max = 1;  // both 0 where nobody measured
};

/// Latent frames around one that the frames it becomes depend on, away from the clip's ends.
struct ReceptiveField {
  int before = 0;
  int after = 0;
};

struct VaeConfig {
  std::string form;  // "causal" | "framewise" | "whole"
  int temporal_ratio = 1;
  int spatial_ratio = 1;
  int latent_channels = 1;
  bool single_first_frame = false;  // the first latent frame becomes one frame, every other temporal_ratio
  std::optional<ReceptiveField> receptive_field;  // of form "whole": with it the decoder can run over parts of a clip
};

struct Defaults {
  int height = 0;
  int width = 0;
  int num_frames = 0;
  int num_inference_steps = 0;
  double guidance_scale = 1.0;
  std::string negative_prompt;
  double fps = 0.0;
};

/// What excludes each other in a prompt. A value is the phrases that mean it, in lower case: [["red"], ["purple",
/// "violet"]].
using ExclusiveGroup = std::vector<std::vector<std::string>>;

struct Manifest {
  int schema_version = 0;
  std::string name;
  std::string family;
  std::string license;
  // Neither a text encoder nor a denoiser: tokenizer, scheduler, guidance, text, image conditioning and the defaults of
  // prompts and sampling are then unset.
  bool decoder_only = false;
  TokenizerConfig tokenizer;
  std::string scheduler_json;  // a diffusers scheduler config object, `_class_name` included
  Limit height, width, num_frames;
  VaeConfig vae;
  double guidance_off_at = 1.0;  // guidance_scale <= this runs the positive prompt alone
  int text_length = 0;           // L of text_embeds
  bool zero_after_mask = false;
  std::string text_cleaning = "none";  // of prompts before they are tokenised: "none" | "whitespace" | "html"
  bool text_ftfy = false;  // prompts are put right with ftfy.fix_text() first, which only the Python face can do
  std::map<std::string, ExclusiveGroup> exclusive_words;  // "colour" -> ...; a prompt that names two values is warned of
  std::string image_conditioning;  // "none" | "first_latent_frame"
  Defaults defaults;
  std::map<std::string, DataFile> data_files;  // relative path -> size and hash
  std::map<std::string, Module> modules;
};

/// An opened, checked bundle. Immutable; copies are cheap enough to pass by value only where ownership is wanted.
class VIDRT_API Bundle {
 public:
  /// Open a bundle folder. Checks the manifest's schema, that no path leaves the folder, graph hashes, file sizes and
  /// the graphs' external-data ranges; reads no weight bytes. Throws BundleError.
  static Bundle open(const std::string& path);

  const std::string& path() const { return path_; }
  const Manifest& manifest() const { return manifest_; }
  /// The manifest as it lies on disk (UTF-8 JSON), for tools.
  const std::string& manifest_json() const { return manifest_json_; }

  /// Absolute path of a file of the bundle (a path named by the manifest).
  std::string resolve(const std::string& relative) const;
  bool has_module(const std::string& name) const { return manifest_.modules.count(name) != 0; }
  /// Throws BundleError when the bundle has no such module.
  const Module& module(const std::string& name) const;

  /// Hash every weight file. Throws BundleError naming the first file that differs.
  void verify_weights() const;
  /// The same, but skips files that were verified before and have kept their size and time of change since: by this
  /// process, or by an earlier one that could write the user's cache folder.
  void verify_weights_once() const;

 private:
  std::string path_;
  std::string manifest_json_;
  Manifest manifest_;
};

}  // namespace vidrt
