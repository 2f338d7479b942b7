#include "runtime/module_contract.h"

#include <map>
#include <string>
#include <vector>

#include "runtime/decoder_caches.h"
#include "runtime/symbols.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// Expected tensors are written with the symbols of docs/bundle.md, numbers, and these two of the manifest's own.
constexpr const char* kLatentChannels = "C";
constexpr const char* kTextDim = "D";

struct Contract {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<SymbolValues> samples;  // sizes at which every dimension must have the contract's value
};

TensorSpec floats(std::string name, std::vector<std::string> shape) {
  return {std::move(name), DType::kFloat32, std::move(shape)};
}

TensorSpec ints(std::string name) { return {std::move(name), DType::kInt64, {"B", "L"}}; }

SymbolValues latent_sizes(const Manifest& manifest, std::int64_t scale) {
  const std::int64_t h = 3 * scale;
  const std::int64_t w = 5 * scale;
  const std::int64_t ratio = manifest.vae.spatial_ratio;
  return {{"B", 1},        {kLatentChannels, manifest.vae.latent_channels}, {"h", h}, {"w", w}, {"H", h * ratio},
          {"W", w * ratio}};
}

Contract text_encoder_contract(const Manifest& manifest, std::int64_t text_dim) {
  return {{ints("input_ids"), ints("attention_mask")},
          {floats("text_embeds", {"B", "L", kTextDim})},
          {{{"B", 1}, {"L", manifest.text_length}, {kTextDim, text_dim}}}};
}

Contract denoiser_contract(const Manifest& manifest, std::int64_t text_dim, const Variant& variant) {
  const TensorSpec latents = floats("latents", {"B", kLatentChannels, "T", "h", "w"});
  Contract contract;
  contract.inputs = {latents, floats("timestep", {"B", "T"}), floats("text_embeds", {"B", "L", kTextDim})};
  if (find_tensor(variant.inputs, "text_mask") != nullptr) contract.inputs.push_back(ints("text_mask"));
  if (find_tensor(variant.inputs, "text_counts") != nullptr) {
    contract.inputs.push_back(floats("text_counts", {"B", "L"}));
  }
  contract.outputs = {floats("prediction", latents.shape)};
  for (const std::int64_t batch : {1, 2}) {  // guidance runs both prompts as one batch
    SymbolValues sample = latent_sizes(manifest, batch);
    sample["B"] = batch;
    sample["T"] = 3 * batch + 1;
    sample["L"] = manifest.text_length;
    sample[kTextDim] = text_dim;
    contract.samples.push_back(std::move(sample));
  }
  return contract;
}

// A decoder that takes `time` latent frames at a call. Caches are checked elsewhere.
Contract decoder_contract(const Manifest& manifest, const std::string& time) {
  Contract contract{
      {floats("latents", {"B", kLatentChannels, time, "h", "w"})}, {floats("frames", {"B", "3", "F", "H", "W"})}, {}};
  for (const std::int64_t scale : {1, 2}) {
    SymbolValues sample = latent_sizes(manifest, scale);
    const std::int64_t latent_frames = time == "1" ? 1 : 3 * scale + 1;
    if (time != "1") sample[time] = latent_frames;
    const bool starts_clip = time != "k" && manifest.vae.single_first_frame;
    sample["F"] = (latent_frames - (starts_clip ? 1 : 0)) * manifest.vae.temporal_ratio + (starts_clip ? 1 : 0);
    contract.samples.push_back(std::move(sample));
  }
  return contract;
}

Contract encoder_contract(const Manifest& manifest) {
  return {{floats("image", {"B", "3", "1", "H", "W"})},
          {floats("latents", {"B", kLatentChannels, "1", "h", "w"})},
          {latent_sizes(manifest, 1), latent_sizes(manifest, 2)}};
}

// The value of a declared dimension, or 0 (which no dimension may be) when it is no number and no allowed symbol.
std::int64_t value_or_zero(const std::string& dimension, const SymbolValues& sample) {
  try {
    return evaluate_dimension(dimension, sample);
  } catch (const Error&) {
    return 0;
  }
}

void check_tensor(const TensorSpec& declared, const TensorSpec& expected, const std::vector<SymbolValues>& samples,
                  const JsonPlace& place) {
  if (declared.name != expected.name) place.key("name").fail(describe(declared.name), describe(expected.name));
  if (declared.dtype != expected.dtype) {
    place.key("dtype").fail(dtype_name(declared.dtype), dtype_name(expected.dtype));
  }
  if (declared.shape.size() != expected.shape.size()) {
    place.key("shape").fail(std::to_string(declared.shape.size()) + " dimensions",
                            std::to_string(expected.shape.size()));
  }
  for (const SymbolValues& sample : samples) {
    for (std::size_t i = 0; i < expected.shape.size(); ++i) {
      SymbolValues symbols = sample;  // C and D are no symbols that a manifest may use
      symbols.erase(kLatentChannels);
      symbols.erase(kTextDim);
      const std::int64_t value = evaluate_dimension(expected.shape[i], sample);
      if (value_or_zero(declared.shape[i], symbols) == value) continue;
      const bool fixed = sample.count(expected.shape[i]) == 0 || symbols.count(expected.shape[i]) == 0;
      place.key("shape").index(i).fail(
          describe(declared.shape[i]),
          fixed ? std::to_string(value) : expected.shape[i] + ", or what equals it for every size");
    }
  }
}

void check_tensors(const std::vector<TensorSpec>& declared, const std::vector<TensorSpec>& expected,
                   const std::vector<SymbolValues>& samples, bool caches_follow, const JsonPlace& place) {
  std::string names;
  for (const TensorSpec& spec : expected) names += (names.empty() ? "" : ", ") + spec.name;
  if (declared.size() < expected.size() || (declared.size() > expected.size() && !caches_follow)) {
    place.fail(std::to_string(declared.size()) + " tensors", names + (caches_follow ? " and caches" : ""));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) check_tensor(declared[i], expected[i], samples, place.index(i));
}

// D, which the text encoder's first variant declares as a number.
std::int64_t declared_text_dim(const Manifest& manifest, const JsonPlace& place) {
  const JsonPlace outputs = place.key("text_encoder").key("variants").index(0).key("tensors").key("outputs");
  const std::vector<TensorSpec>& specs = manifest.modules.at("text_encoder").variants.front().outputs;
  const bool ranked = !specs.empty() && specs.front().shape.size() == 3;
  const std::int64_t dim = ranked ? value_or_zero(specs.front().shape[2], {}) : 0;
  if (dim == 0) outputs.index(0).key("shape").fail("no number as the last of 3", "(B, L, D) with D a number");
  return dim;
}

Contract contract_of(const std::string& module, const Variant& variant, const Manifest& manifest,
                     std::int64_t text_dim) {
  if (module == "text_encoder") return text_encoder_contract(manifest, text_dim);
  if (module == "denoiser") return denoiser_contract(manifest, text_dim, variant);
  if (module == "vae_encoder") return encoder_contract(manifest);
  if (module == "vae_decoder_first") return decoder_contract(manifest, "1");
  return decoder_contract(manifest, module == "vae_decoder_next" ? "k" : "T");
}

}  // namespace

bool encodes_clips(const Manifest& manifest) {
  return !manifest.decoder_only && manifest.modules.count("vae_encoder") != 0 && manifest.vae.form == "framewise" &&
         manifest.vae.temporal_ratio == 1;
}

void require_clip_encoder(const Manifest& manifest) {
  if (encodes_clips(manifest)) return;
  std::string why = "has a VAE of the form " + manifest.vae.form +
                    ", whose encoder does not take a clip frame by frame; open one whose does (form framewise)";
  if (manifest.modules.count("vae_encoder") == 0) why = "has no vae_encoder; export it again with this version";
  if (manifest.decoder_only) why = "has only a decoder; open one of a whole model";
  throw InvalidArgument("got a video to start from, but the bundle '" + manifest.name + "' " + why +
                        ", or leave video out.");
}

std::vector<std::string> generation_modules(const Manifest& manifest) {
  std::vector<std::string> names;
  if (!manifest.decoder_only) names = {"text_encoder", "denoiser"};
  if (manifest.vae.form == "causal") {
    names.insert(names.end(), {"vae_decoder_first", "vae_decoder_next"});
  } else {
    names.emplace_back("vae_decoder");
  }
  if (manifest.image_conditioning != "none" || encodes_clips(manifest)) names.emplace_back("vae_encoder");
  return names;
}

void check_module_contracts(const Manifest& manifest, const JsonPlace& place) {
  for (const std::string& name : generation_modules(manifest)) {
    if (manifest.modules.count(name) == 0) {
      place.key(name).fail("nothing", "this module (vae.form is " + manifest.vae.form + ", image_conditioning is " +
                                          manifest.image_conditioning + ")");
    }
  }
  const bool causal = manifest.vae.form == "causal";
  for (const char* name : {"vae_decoder", "vae_decoder_first", "vae_decoder_next"}) {
    const bool of_causal = std::string(name) != "vae_decoder";
    if (manifest.modules.count(name) != 0 && of_causal != causal) {
      place.key(name).fail("a module", "none of this name, as vae.form is " + manifest.vae.form);
    }
  }
  const std::int64_t text_dim = manifest.decoder_only ? 0 : declared_text_dim(manifest, place);
  for (const auto& [name, module] : manifest.modules) {
    const JsonPlace variants = place.key(name).key("variants");
    for (std::size_t i = 0; i < module.variants.size(); ++i) {
      const Variant& variant = module.variants[i];
      const Contract contract = contract_of(name, variant, manifest, text_dim);
      const JsonPlace tensors = variants.index(i).key("tensors");
      check_tensors(variant.inputs, contract.inputs, contract.samples, name == "vae_decoder_next",
                    tensors.key("inputs"));
      check_tensors(variant.outputs, contract.outputs, contract.samples, causal && name.rfind("vae_decoder", 0) == 0,
                    tensors.key("outputs"));
    }
  }
  if (causal) check_decoder_caches(manifest, place);
}

}  // namespace vidrt
