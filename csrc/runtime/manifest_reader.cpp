#include "runtime/manifest_reader.h"

#include <algorithm>
#include <set>

#include "runtime/json_object.h"
#include "runtime/manifest_modules.h"
#include "runtime/module_contract.h"
#include "runtime/words.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

using nlohmann::json;

constexpr int kMaxPixels = 16384;  // of one side
constexpr int kMaxFrames = 100000;
constexpr int kMaxTokens = 4096;
constexpr std::size_t kMaxAddedTokens = 10000;
constexpr std::size_t kMaxFiles = 1000;
constexpr std::size_t kMaxExclusiveGroups = 64;
constexpr std::size_t kMaxExclusiveValues = 256;               // of a group
constexpr std::size_t kMaxPhrases = 64;                        // of a value
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 50;  // 1 PiB: sums of file sizes stay far from overflow
constexpr std::int64_t kMaxTokenId = std::numeric_limits<std::int32_t>::max();

void check_schema_version(JsonObject& root) {
  const std::int64_t version = root.integer("schema_version", {0, std::numeric_limits<std::int64_t>::max()});
  if (version > kSchemaVersion) {
    throw BundleError(root.place().file + ": schema_version: got " + std::to_string(version) + ", expected at most " +
                      std::to_string(kSchemaVersion) +
                      ": a newer vidrt wrote this bundle. Update vidrt, or export the bundle again with this version.");
  }
  if (version < 1) root.place().key("schema_version").fail(std::to_string(version), std::to_string(kSchemaVersion));
}

std::map<std::string, std::int64_t> read_added_tokens(JsonObject& object, const std::string& key) {
  std::map<std::string, std::int64_t> tokens;
  if (object.optional(key) == nullptr) return tokens;
  const JsonPlace place = object.place().key(key);
  const json& added = object.required(key);
  if (!added.is_object() || added.size() > kMaxAddedTokens) {
    place.fail(describe(added), "an object of at most " + std::to_string(kMaxAddedTokens) + " tokens");
  }
  for (const auto& item : added.items()) {
    const JsonPlace token = place.key(describe(item.key()));
    if (item.key().empty()) token.fail("an empty text", "the token's text");
    tokens[item.key()] = read_integer(item.value(), token, {0, kMaxTokenId});
  }
  return tokens;
}

// Whether the key is there, which only one kind of tokenizer has.
bool only_of(const char* kind, const char* key, const TokenizerConfig& config, JsonObject& object) {
  if (object.optional(key) == nullptr) return false;
  if (config.kind == kind) return true;
  object.place().key(key).fail("a value", "nothing, as tokenizer.kind is " + config.kind);
}

TokenizerConfig read_tokenizer(JsonObject object) {
  TokenizerConfig config;
  config.kind = object.word("kind", {"wordlevel", "sentencepiece", "clip_bpe"});
  const std::size_t count = config.kind == "clip_bpe" ? 2 : 1;
  const JsonPlace files = object.place().key("files");
  const json& paths = read_array(object.required("files"), files, count, count);
  for (std::size_t i = 0; i < paths.size(); ++i) config.files.push_back(read_path(paths[i], files.index(i)));
  config.max_length = object.small_integer("max_length", 2, kMaxTokens);  // a token and the end marker
  config.pad_id = object.integer("pad_id", {0, kMaxTokenId});
  config.eos_id = object.integer("eos_id", {0, kMaxTokenId});
  if (object.optional("unk_id") != nullptr) config.unk_id = object.integer("unk_id", {0, kMaxTokenId});
  if (only_of("sentencepiece", "byte_fallback", config, object)) config.byte_fallback = object.boolean("byte_fallback");
  config.added_tokens = read_added_tokens(object, "added_tokens");
  if (only_of("clip_bpe", "normalized_added_tokens", config, object)) {
    config.normalized_added_tokens = read_added_tokens(object, "normalized_added_tokens");
  }
  if (config.kind == "clip_bpe" || only_of("clip_bpe", "bos_id", config, object)) {
    config.bos_id = object.integer("bos_id", {0, kMaxTokenId});
  }
  object.finish();
  return config;
}

std::string read_scheduler(JsonObject& root) {
  const json& config = root.required("scheduler");
  JsonObject object(config, root.place().key("scheduler"));
  object.text("_class_name");
  return config.dump();
}

Limit read_limit(JsonObject object, int max) {
  Limit limit;
  limit.min = object.small_integer("min", 1, max);
  limit.max = object.small_integer("max", limit.min, max);
  limit.step = object.small_integer("step", 1, max);
  const JsonPlace place = object.place().key("measured");
  if (object.required("measured").is_null()) {
    limit.measured_min = limit.measured_max = 0;
    object.finish();
    return limit;
  }
  const json& measured = read_array(object.required("measured"), place, 2, 2);
  limit.measured_min = static_cast<int>(read_integer(measured[0], place.index(0), {limit.min, limit.max}));
  limit.measured_max = static_cast<int>(read_integer(measured[1], place.index(1), {limit.measured_min, limit.max}));
  object.finish();
  return limit;
}

void read_limits(JsonObject object, Manifest* manifest) {
  manifest->height = read_limit(object.object("height"), kMaxPixels);
  manifest->width = read_limit(object.object("width"), kMaxPixels);
  manifest->num_frames = read_limit(object.object("num_frames"), kMaxFrames);
  object.finish();
}

VaeConfig read_vae(JsonObject object) {
  VaeConfig vae;
  vae.form = object.word("form", {"causal", "framewise", "whole"});
  vae.temporal_ratio = object.small_integer("temporal_ratio", 1, 64);
  vae.spatial_ratio = object.small_integer("spatial_ratio", 1, 256);
  vae.latent_channels = object.small_integer("latent_channels", 1, 4096);
  const bool whole = vae.form == "whole";
  vae.single_first_frame = vae.form == "causal";
  if (object.optional("single_first_frame") != nullptr) {
    const bool single = object.boolean("single_first_frame");
    if (!whole && single != vae.single_first_frame) {
      object.place().key("single_first_frame").fail(single ? "true" : "false", "what the form " + vae.form + " does");
    }
    vae.single_first_frame = single;
  }
  if (object.optional("receptive_field") != nullptr) {
    const JsonPlace place = object.place().key("receptive_field");
    if (!whole) place.fail("a value", "nothing, as vae.form is " + vae.form);
    const json& field = read_array(object.required("receptive_field"), place, 2, 2);
    vae.receptive_field = ReceptiveField{static_cast<int>(read_integer(field[0], place.index(0), {0, kMaxFrames})),
                                         static_cast<int>(read_integer(field[1], place.index(1), {0, kMaxFrames}))};
  }
  object.finish();
  return vae;
}

double read_guidance(JsonObject object) {
  const double off_at = object.number("off_at", {0.0, 1000.0});
  const JsonPlace place = object.place().key("batch_order");
  const json& order = object.required("batch_order");
  if (order != json::array({"negative", "positive"})) place.fail(describe(order), "[\"negative\", \"positive\"]");
  object.finish();
  return off_at;
}

// A phrase as split_words() gives it back, so that it can be found in a prompt.
std::string read_phrase(const json& value, const JsonPlace& place) {
  const std::string phrase = read_text(value, place);
  std::string words;
  for (const std::string_view word : split_words(phrase)) words += (words.empty() ? "" : " ") + lower_ascii(word);
  if (phrase != words) place.fail(describe(value), "words in lower case with one space between them");
  return phrase;
}

ExclusiveGroup read_exclusive_group(const json& value, const JsonPlace& place) {
  ExclusiveGroup group;
  std::set<std::string> seen;
  const json& values = read_array(value, place, 2, kMaxExclusiveValues);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const json& phrases = read_array(values[i], place.index(i), 1, kMaxPhrases);
    group.emplace_back();
    for (std::size_t j = 0; j < phrases.size(); ++j) {
      const JsonPlace at = place.index(i).index(j);
      group.back().push_back(read_phrase(phrases[j], at));
      if (!seen.insert(group.back().back()).second) at.fail(describe(phrases[j]) + " again", "each phrase once");
    }
  }
  return group;
}

std::map<std::string, ExclusiveGroup> read_exclusive_words(const json& value, const JsonPlace& place) {
  if (!value.is_object() || value.size() > kMaxExclusiveGroups) {
    place.fail(describe(value), "an object of at most " + std::to_string(kMaxExclusiveGroups) + " groups");
  }
  std::map<std::string, ExclusiveGroup> groups;
  for (const auto& item : value.items()) {
    const JsonPlace group = place.key(describe(item.key()));
    groups[read_text(item.key(), group)] = read_exclusive_group(item.value(), group);
  }
  return groups;
}

void read_text_settings(JsonObject object, Manifest* manifest) {
  manifest->text_length = object.small_integer("length", 1, kMaxTokens);
  manifest->zero_after_mask = object.boolean("zero_after_mask");
  if (object.optional("cleaning") != nullptr) {
    manifest->text_cleaning = object.word("cleaning", {"none", "whitespace", "html"});
  }
  if (object.optional("ftfy") != nullptr) manifest->text_ftfy = object.boolean("ftfy");
  if (const json* groups = object.optional("exclusive_words"); groups != nullptr) {
    manifest->exclusive_words = read_exclusive_words(*groups, object.place().key("exclusive_words"));
  }
  if (manifest->text_length != manifest->tokenizer.max_length) {
    object.place().key("length").fail(std::to_string(manifest->text_length),
                                      "tokenizer.max_length, " + std::to_string(manifest->tokenizer.max_length));
  }
  object.finish();
}

int read_default_size(JsonObject& defaults, const std::string& key, const Limit& limit) {
  const int value = defaults.small_integer(key, limit.min, limit.max);
  if ((value - limit.min) % limit.step != 0) {
    defaults.place().key(key).fail(std::to_string(value), "a value that limits." + key + " allows");
  }
  return value;
}

Defaults read_defaults(JsonObject object, const Manifest& manifest) {
  Defaults defaults;
  defaults.height = read_default_size(object, "height", manifest.height);
  defaults.width = read_default_size(object, "width", manifest.width);
  defaults.num_frames = read_default_size(object, "num_frames", manifest.num_frames);
  if (!manifest.decoder_only) {
    defaults.num_inference_steps = object.small_integer("num_inference_steps", 1, 1000);
    defaults.guidance_scale = object.number("guidance_scale", {0.0, 1000.0});
    defaults.negative_prompt = object.text("negative_prompt", {0, 65536, false});
  }
  defaults.fps = object.number("fps", {0.001, 1000.0});
  object.finish();
  return defaults;
}

std::map<std::string, DataFile> read_data_files(JsonObject& root) {
  const JsonPlace place = root.place().key("data_files");
  const json& files = root.required("data_files");
  if (!files.is_object() || files.size() > kMaxFiles) {
    place.fail(describe(files), "an object of at most " + std::to_string(kMaxFiles) + " files");
  }
  std::map<std::string, DataFile> result;
  for (const auto& item : files.items()) {
    const std::string path = read_path(item.key(), place.key(describe(item.key())));
    JsonObject object(item.value(), place.key(path));
    DataFile& file = result[path];
    file.bytes = static_cast<std::uint64_t>(object.integer("bytes", {0, kMaxFileBytes}));
    file.sha256 = read_sha256(object.required("sha256"), object.place().key("sha256"));
    object.finish();
  }
  return result;
}

// Everything that is said of a generation; of a decoder alone nothing of it may be.
void read_generation(JsonObject& root, Manifest* manifest) {
  if (manifest->decoder_only) {
    for (const char* key : {"tokenizer", "scheduler", "guidance", "text", "image_conditioning"}) {
      if (root.optional(key) == nullptr) continue;
      root.place().key(key).fail("a value", "nothing, as modules has neither text_encoder nor denoiser");
    }
    manifest->image_conditioning = "none";
    return;
  }
  manifest->tokenizer = read_tokenizer(root.object("tokenizer"));
  manifest->scheduler_json = read_scheduler(root);
  manifest->guidance_off_at = read_guidance(root.object("guidance"));
  read_text_settings(root.object("text"), manifest);
  manifest->image_conditioning = root.word("image_conditioning", {"none", "first_latent_frame"});
}

// What else is wrong with chosen timesteps, the scheduler says when it is made.
void check_default_steps(JsonObject& root, int num_inference_steps) {
  const json* scheduler = root.optional("scheduler");
  if (scheduler == nullptr || !scheduler->contains("timesteps")) return;
  const json& chosen = scheduler->at("timesteps");
  if (!chosen.is_array() || chosen.size() == static_cast<std::size_t>(num_inference_steps)) return;
  root.place()
      .key("defaults")
      .key("num_inference_steps")
      .fail(std::to_string(num_inference_steps),
            std::to_string(chosen.size()) + ", as many as scheduler.timesteps has");
}

// Sizes in latents must come out whole for every value that a limit allows.
void check_limit_fits(const JsonPlace& place, const Limit& limit, int ratio, int rest) {
  const bool one_value = limit.min + limit.step > limit.max;
  if (limit.min % ratio != rest % ratio || (!one_value && limit.step % ratio != 0)) {
    place.fail("values from " + std::to_string(limit.min) + " in steps of " + std::to_string(limit.step),
               "multiples of the VAE's ratio " + std::to_string(ratio) + (rest == 0 ? "" : ", plus 1"));
  }
}

}  // namespace

Manifest parse_manifest(const std::string& text, const std::string& file) {
  const json document = parse_json(text, {file, ""});
  JsonObject root(document, {file, ""});
  check_schema_version(root);

  Manifest manifest;
  manifest.schema_version = kSchemaVersion;
  manifest.name = root.text("name");
  manifest.family = root.text("family");
  manifest.license = root.text("license");
  manifest.data_files = read_data_files(root);
  manifest.modules = read_modules(root.object("modules"), manifest.data_files);
  manifest.decoder_only = manifest.modules.count("text_encoder") == 0 && manifest.modules.count("denoiser") == 0;
  read_generation(root, &manifest);
  read_limits(root.object("limits"), &manifest);
  manifest.vae = read_vae(root.object("vae"));
  manifest.defaults = read_defaults(root.object("defaults"), manifest);
  check_default_steps(root, manifest.defaults.num_inference_steps);
  for (const char* free_form : {"created_by", "extra"}) {
    if (root.optional(free_form) != nullptr) root.object(free_form);
  }
  root.finish();

  const JsonPlace limits = root.place().key("limits");
  check_limit_fits(limits.key("height"), manifest.height, manifest.vae.spatial_ratio, 0);
  check_limit_fits(limits.key("width"), manifest.width, manifest.vae.spatial_ratio, 0);
  check_limit_fits(limits.key("num_frames"), manifest.num_frames, manifest.vae.temporal_ratio,
                   manifest.vae.single_first_frame ? 1 : 0);
  check_module_contracts(manifest, root.place().key("modules"));
  return manifest;
}

}  // namespace vidrt
