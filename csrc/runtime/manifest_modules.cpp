#include "runtime/manifest_modules.h"

#include <algorithm>
#include <utility>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxGraphBytes = std::int64_t{256} << 20;  // weights lie outside, so graphs are small
constexpr std::size_t kMaxVariants = 32;
constexpr std::size_t kMaxTensors = 1024;
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxNames = 1000;

const std::vector<std::string>& precisions() {
  static const std::vector<std::string> words{"fp32", "fp16", "bf16"};
  return words;
}

const std::vector<std::string>& storages() {
  static const std::vector<std::string> words{"fp32", "fp16", "bf16", "int8"};
  return words;
}

// "domain::Name": letters, digits, '_' and, in the domain, '.'.
bool is_custom_op(const std::string& text) {
  static const std::string kWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const std::size_t colons = text.find("::");
  if (colons == std::string::npos || colons == 0 || colons + 2 == text.size()) return false;
  return text.substr(0, colons).find_first_not_of(kWord + ".") == std::string::npos &&
         text.substr(colons + 2).find_first_not_of(kWord) == std::string::npos;
}

// A list without repetitions; `accepts` says which entries are allowed.
template <typename Accepts>
std::vector<std::string> read_names(JsonObject& object, const std::string& key, std::size_t min_items,
                                    const std::string& expected, Accepts&& accepts) {
  const JsonPlace place = object.place().key(key);
  const json& items = read_array(object.required(key), place, min_items, kMaxNames);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string name = read_text(items[i], place.index(i), {1, 1024});
    if (!accepts(name)) place.index(i).fail(describe(items[i]), expected);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      place.index(i).fail(describe(items[i]) + " a second time", "each entry once");
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::string read_dimension(const json& value, const JsonPlace& place) {
  if (value.is_number())
    return std::to_string(read_integer(value, place, {1, std::numeric_limits<std::int32_t>::max()}));
  return read_text(value, place, {1, 32});
}

TensorSpec read_tensor(JsonObject object) {
  TensorSpec spec;
  spec.name = object.text("name");
  spec.dtype =
      dtype_from_name(object.word("dtype", {"float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"}));
  const JsonPlace place = object.place().key("shape");
  const json& shape = read_array(object.required("shape"), place, 1, kMaxRank);
  for (std::size_t i = 0; i < shape.size(); ++i) spec.shape.push_back(read_dimension(shape[i], place.index(i)));
  object.finish();
  return spec;
}

std::vector<TensorSpec> read_tensors(JsonObject& object, const std::string& key) {
  const JsonPlace place = object.place().key(key);
  const json& items = read_array(object.required(key), place, 1, kMaxTensors);
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < items.size(); ++i) specs.push_back(read_tensor({items[i], place.index(i)}));
  return specs;
}

std::optional<Parity> read_parity(JsonObject& variant) {
  if (variant.required("parity").is_null()) return std::nullopt;
  JsonObject object = variant.object("parity");
  Parity parity;
  parity.max_abs = object.number("max_abs", {});
  parity.tolerance = object.number("tolerance", {});
  parity.cases = object.small_integer("cases", 1, 1000000);
  if (object.optional("method") != nullptr) parity.method = object.word("method", {"run", "emulated"});
  if (object.optional("cosine") != nullptr) {
    parity.cosine = object.number("cosine", {-1.0, 1.0 + 1e-9});
    parity.least_cosine = object.number("least_cosine", {-1.0, 1.0});
  }
  object.finish();
  return parity;
}

Variant read_variant(JsonObject object, const std::map<std::string, DataFile>& data_files) {
  static const std::vector<std::string> kBackends{"onnxruntime", "onnxruntime-cuda", "tensorrt", "tensorrt-rtx"};
  Variant variant;
  variant.id = object.text("id", {1, 64});
  variant.file = read_path(object.required("file"), object.place().key("file"));
  // Then the graph's external data is named relative to the bundle and to the graph alike.
  if (variant.file.find('/') != std::string::npos) {
    object.place().key("file").fail(describe(variant.file), "a graph at the top of the folder");
  }
  variant.sha256 = read_sha256(object.required("sha256"), object.place().key("sha256"));
  variant.bytes = static_cast<std::uint64_t>(object.integer("bytes", {1, kMaxGraphBytes}));
  variant.data_files = read_names(object, "data_files", 0, "a key of data_files at the manifest's top",
                                  [&](const std::string& name) { return data_files.count(name) != 0; });
  variant.opset = object.small_integer("opset", 1, 100);
  variant.precision = object.word("precision", precisions());
  variant.storage = object.word("storage", storages());
  variant.custom_ops = read_names(object, "custom_ops", 0, "a name as vidrt::DepthwiseConv3d", is_custom_op);
  variant.backends = read_names(
      object, "backends", 1, "onnxruntime, onnxruntime-cuda, tensorrt or tensorrt-rtx",
      [](const std::string& name) { return std::find(kBackends.begin(), kBackends.end(), name) != kBackends.end(); });
  JsonObject tensors = object.object("tensors");
  variant.inputs = read_tensors(tensors, "inputs");
  variant.outputs = read_tensors(tensors, "outputs");
  tensors.finish();
  variant.parity = read_parity(object);
  object.finish();
  return variant;
}

Module read_module(const std::string& name, JsonObject object, const std::map<std::string, DataFile>& data_files) {
  Module module;
  module.name = name;
  const JsonPlace place = object.place().key("variants");
  const json& items = read_array(object.required("variants"), place, 1, kMaxVariants);
  for (std::size_t i = 0; i < items.size(); ++i) {
    Variant variant = read_variant({items[i], place.index(i)}, data_files);
    for (const Variant& earlier : module.variants) {
      if (earlier.id == variant.id)
        place.index(i).key("id").fail(describe(variant.id) + " a second time", "each id once");
    }
    module.variants.push_back(std::move(variant));
  }
  object.finish();
  return module;
}

}  // namespace

std::map<std::string, Module> read_modules(JsonObject object, const std::map<std::string, DataFile>& data_files) {
  std::map<std::string, Module> modules;
  for (const char* name :
       {"text_encoder", "denoiser", "vae_decoder", "vae_decoder_first", "vae_decoder_next", "vae_encoder"}) {
    if (object.optional(name) != nullptr) modules[name] = read_module(name, object.object(name), data_files);
  }
  object.finish();
  return modules;
}

}  // namespace vidrt
