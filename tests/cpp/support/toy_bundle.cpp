#include "support/toy_bundle.h"

#include <utility>

#include "runtime/sha256.h"
#include "support/onnx_writer.h"

namespace vidrt::testing {
namespace {

using nlohmann::json;

constexpr int kOpset = 22;
constexpr int kWeightFloats = 8;  // of each module

struct ToyModule {
  std::string name;
  std::vector<TensorSpec> inputs, outputs;
};

TensorSpec floats(const std::string& name, std::vector<std::string> shape) {
  return {name, DType::kFloat32, std::move(shape)};
}

TensorSpec ints(const std::string& name) { return {name, DType::kInt64, {"B", "L"}}; }

// Caches of different sizes, so that a mix-up shows.
void add_caches(const std::string& prefix, int count, std::vector<TensorSpec>* tensors) {
  for (int i = 0; i < count; ++i) {
    const std::string scale = i == 0 ? "" : "*" + std::to_string(1 << i);
    tensors->push_back(
        floats(prefix + std::to_string(i), {"B", std::to_string(6 - i % 4), "2", "h" + scale, "w" + scale}));
  }
}

ToyModule decoder(const ToyBundleOptions& options, const std::string& name, const std::string& time) {
  ToyModule module{name,
                   {floats("latents", {"B", std::to_string(options.latent_channels), time, "h", "w"})},
                   {floats("frames", {"B", "3", "F", "H", "W"})}};
  if (name == "vae_decoder_next") add_caches("cache_in_", options.num_caches, &module.inputs);
  if (name != "vae_decoder") add_caches("cache_out_", options.num_caches, &module.outputs);
  return module;
}

std::vector<ToyModule> toy_modules(const ToyBundleOptions& options) {
  const std::string channels = std::to_string(options.latent_channels);
  const TensorSpec embeds = floats("text_embeds", {"B", "L", std::to_string(options.text_dim)});
  const TensorSpec latents = floats("latents", {"B", channels, "T", "h", "w"});
  std::vector<ToyModule> modules;
  if (!options.decoder_only) {
    modules.push_back({"text_encoder", {ints("input_ids"), ints("attention_mask")}, {embeds}});
    modules.push_back(
        {"denoiser", {latents, floats("timestep", {"B", "T"}), embeds}, {floats("prediction", latents.shape)}});
    if (options.text_mask) modules.back().inputs.push_back(ints("text_mask"));
    if (options.text_counts) modules.back().inputs.push_back(floats("text_counts", {"B", "L"}));
  }
  if (options.form == "causal") {
    modules.push_back(decoder(options, "vae_decoder_first", "1"));
    modules.push_back(decoder(options, "vae_decoder_next", "k"));
  } else {
    modules.push_back(decoder(options, "vae_decoder", "T"));
  }
  if (options.vae_encoder) {
    modules.push_back({"vae_encoder",
                       {floats("image", {"B", "3", "1", "H", "W"})},
                       {floats("latents", {"B", channels, "1", "h", "w"})}});
  }
  return modules;
}

json tensors_json(const std::vector<TensorSpec>& specs) {
  json list = json::array();
  for (const TensorSpec& spec : specs) {
    json shape = json::array();
    for (const std::string& dimension : spec.shape) {
      const bool number = dimension.find_first_not_of("0123456789") == std::string::npos;
      shape.push_back(number ? json(std::stoi(dimension)) : json(dimension));
    }
    list.push_back({{"name", spec.name}, {"dtype", dtype_name(spec.dtype)}, {"shape", shape}});
  }
  return list;
}

json variant_json(const ToyModule& module, const std::string& weights, const std::string& model) {
  return {{"id", "fp32"},
          {"file", module.name + ".fp32.onnx"},
          {"sha256", sha256_of(model)},
          {"bytes", model.size()},
          {"data_files", {weights}},
          {"opset", kOpset},
          {"precision", "fp32"},
          {"storage", "fp32"},
          {"custom_ops", json::array()},
          {"backends", {"onnxruntime"}},
          {"tensors", {{"inputs", tensors_json(module.inputs)}, {"outputs", tensors_json(module.outputs)}}},
          {"parity", {{"max_abs", 1e-6}, {"tolerance", 1e-4}, {"cases", 3}}}};
}

json vae_json(const ToyBundleOptions& options) {
  json vae = {{"form", options.form},
              {"temporal_ratio", options.temporal_ratio},
              {"spatial_ratio", options.spatial_ratio},
              {"latent_channels", options.latent_channels}};
  if (options.single_first_frame) vae["single_first_frame"] = true;
  if (options.receptive_field) {
    vae["receptive_field"] = {options.receptive_field->before, options.receptive_field->after};
  }
  return vae;
}

// What only a generation needs.
void erase_generation(json* manifest) {
  for (const char* key : {"tokenizer", "scheduler", "guidance", "text", "image_conditioning"}) manifest->erase(key);
  for (const char* key : {"num_inference_steps", "guidance_scale", "negative_prompt"}) {
    (*manifest)["defaults"].erase(key);
  }
}

json settings_json(const ToyBundleOptions& options) {
  const int ratio = options.spatial_ratio;
  const int frames = options.temporal_ratio;
  const bool single = options.form == "causal" || options.single_first_frame;
  const json side = {{"min", 2 * ratio}, {"max", 64 * ratio}, {"step", ratio}, {"measured", {4 * ratio, 8 * ratio}}};
  const json clip = {{"min", single ? 1 : frames},
                     {"max", (single ? 1 : 0) + 64 * frames},
                     {"step", frames},
                     {"measured", {single ? 1 : frames, (single ? 1 : 0) + 8 * frames}}};
  return {{"schema_version", 1},
          {"name", "toy"},
          {"family", "toy"},
          {"license", "Apache-2.0"},
          {"created_by", {{"vidrt", "0.1.0"}}},
          {"tokenizer",
           {{"kind", "wordlevel"},
            {"files", {"tokenizer/vocab.txt"}},
            {"max_length", options.text_length},
            {"pad_id", 0},
            {"unk_id", 1},
            {"eos_id", 2},
            {"added_tokens", json::object()}}},
          {"scheduler",
           {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"num_train_timesteps", 1000}, {"shift", 2.0}}},
          {"limits", {{"height", side}, {"width", side}, {"num_frames", clip}}},
          {"vae", vae_json(options)},
          {"guidance", {{"off_at", 1.0}, {"batch_order", {"negative", "positive"}}}},
          {"text",
           {{"length", options.text_length},
            {"zero_after_mask", true},
            {"exclusive_words",
             {{"colour", {{"red"}, {"blue"}, {"green", "lime green"}}}, {"shape", {{"circle"}, {"square"}}}}}}},
          {"image_conditioning", options.vae_encoder ? "first_latent_frame" : "none"},
          {"defaults",
           {{"height", 4 * ratio},
            {"width", 4 * ratio},
            {"num_frames", single ? 1 + 2 * frames : 2 * frames},
            {"num_inference_steps", 4},
            {"guidance_scale", 3.0},
            {"negative_prompt", ""},
            {"fps", 8}}},
          {"extra", json::object()}};
}

}  // namespace

ToyBundleFiles make_toy_bundle(const ToyBundleOptions& options) {
  ToyBundleFiles bundle{settings_json(options), {}};
  if (options.decoder_only) {
    erase_generation(&bundle.manifest);
  } else {
    std::string& vocabulary = bundle.files["tokenizer/vocab.txt"];
    vocabulary = "<pad>\n<unk>\n<eos>\n";
    for (const std::string& word : options.words) vocabulary += word + "\n";
  }

  const std::vector<ToyModule> modules = toy_modules(options);
  std::string weights;
  for (std::size_t i = 0; i < modules.size() * kWeightFloats * sizeof(float); ++i) weights += static_cast<char>(i * 37);
  const std::string weights_path = "weights/" + sha256_of(weights).substr(0, 16) + ".safetensors";
  bundle.files[weights_path] = weights;
  bundle.manifest["data_files"][weights_path] = {{"bytes", weights.size()}, {"sha256", sha256_of(weights)}};

  std::uint64_t offset = 0;
  for (const ToyModule& module : modules) {
    const std::uint64_t bytes = kWeightFloats * sizeof(float);
    const ProtoWriter graph =
        graph_proto(module.inputs, module.outputs,
                    {{module.name + ".weight", {2, kWeightFloats / 2}, weights_path, offset, bytes}});
    offset += bytes;
    const std::string model = model_proto(graph, kOpset).data();
    const json variant = variant_json(module, weights_path, model);
    bundle.files[variant["file"]] = model;
    bundle.manifest["modules"][module.name]["variants"] = json::array({variant});
  }
  return bundle;
}

ToyBundle::ToyBundle(const ToyBundleOptions& options) {
  const ToyBundleFiles bundle = make_toy_bundle(options);
  for (const auto& [relative, bytes] : bundle.files) write(relative, bytes);
  edit([&](json& manifest) { manifest = bundle.manifest; });
}

void ToyBundle::edit(const std::function<void(json&)>& change) {
  change(manifest_);
  write("manifest.json", manifest_.dump(1));
}

void ToyBundle::replace_graph(const std::string& module, const std::string& model) {
  edit([&](json& manifest) {
    json& variant = manifest["modules"][module]["variants"][0];
    variant["sha256"] = sha256_of(model);
    variant["bytes"] = model.size();
    write(variant["file"].get<std::string>(), model);
  });
}

}  // namespace vidrt::testing
