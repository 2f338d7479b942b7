#include "runtime/engine_sidecar.h"

#include <charconv>
#include <filesystem>

#include "runtime/json_object.h"
#include "runtime/paths.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kSchemaVersion = 1;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20;  // layer tables of large models take megabytes
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 50;
constexpr std::size_t kMaxEntries = 4096;

// "64", or "32:64:96".
SizeRange read_range(const nlohmann::json& value, const JsonPlace& place) {
  const std::string text = read_text(value, place);
  std::vector<std::int64_t> numbers;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at <= end && numbers.size() < 4; ++at) {
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || (stop != end && *stop != ':')) place.fail(describe(value), "a size, or MIN:OPT:MAX");
    numbers.push_back(number);
    at = stop;
  }
  const bool ascends = numbers.front() >= 1 && numbers.front() <= numbers[numbers.size() / 2] &&
                       numbers[numbers.size() / 2] <= numbers.back();
  if ((numbers.size() != 1 && numbers.size() != 3) || !ascends) place.fail(describe(value), "a size, or MIN:OPT:MAX");
  return {numbers.front(), numbers.back()};
}

const nlohmann::json& read_object(JsonObject& parent, const std::string& key) {
  const nlohmann::json& value = parent.required(key);
  if (!value.is_object() || value.size() > kMaxEntries) parent.place().key(key).fail(describe(value), "an object");
  return value;
}

std::map<std::string, std::string> read_hashes(JsonObject& parent, const std::string& key) {
  std::map<std::string, std::string> hashes;
  for (const auto& [name, hash] : read_object(parent, key).items()) {
    hashes[name] = read_sha256(hash, parent.place().key(key).key(name));
  }
  return hashes;
}

bool is_set(const nlohmann::json& options, const char* name) {
  const auto found = options.find(name);
  return found != options.end() && found->is_boolean() && found->get<bool>();
}

std::uint64_t read_bytes(JsonObject& outcome, const std::string& key) {
  if (outcome.required(key).is_null()) return 0;
  return static_cast<std::uint64_t>(outcome.integer(key, {0, kMaxBytes}));
}

// What earlier sidecars of the schema do not have.
std::uint64_t read_later_bytes(JsonObject& outcome, const std::string& key) {
  return outcome.optional(key) == nullptr ? 0 : read_bytes(outcome, key);
}

void read_source(JsonObject source, EngineSidecar* sidecar) {
  sidecar->bundle = source.text("bundle");
  sidecar->module = source.text("module");
  sidecar->variant = source.text("variant");
  sidecar->graph_sha256 = read_sha256(source.required("graph_sha256"), source.place().key("graph_sha256"));
  sidecar->data_files = read_hashes(source, "data_files");
}

void read_target(JsonObject target, EngineSidecar* sidecar) {
  sidecar->backend = target.text("backend");
  sidecar->version = target.text("version");
  const JsonPlace place = target.place().key("compute_capabilities");
  const nlohmann::json& capabilities = read_array(target.required("compute_capabilities"), place, 1, 64);
  for (std::size_t i = 0; i < capabilities.size(); ++i) {
    sidecar->compute_capabilities.push_back(read_text(capabilities[i], place.index(i)));
  }
  sidecar->machine = target.text("machine");
  for (const auto& [name, size] : read_object(target, "sizes").items()) {
    sidecar->sizes[name] = read_range(size, target.place().key("sizes").key(name));
  }
  const nlohmann::json& options = read_object(target, "options");
  sidecar->version_compatible = is_set(options, "version_compatible");
  sidecar->weight_streaming = is_set(options, "weight_streaming");
  sidecar->stripped = is_set(options, "strip");
  sidecar->plugins = read_hashes(target, "plugins");
}

void read_outcome(JsonObject outcome, EngineSidecar* sidecar) {
  const std::string plan = outcome.text("plan");
  if (plan.find('/') != std::string::npos || !relative_path_fault(plan).empty()) {
    outcome.place().key("plan").fail(describe(plan), "a file name");
  }
  sidecar->plan = (std::filesystem::path(sidecar->path).parent_path() / plan).string();
  sidecar->plan_bytes = static_cast<std::uint64_t>(outcome.integer("bytes", {0, kMaxBytes}));
  sidecar->plan_sha256 = read_sha256(outcome.required("sha256"), outcome.place().key("sha256"));
  sidecar->activation_bytes = read_bytes(outcome, "activation_bytes");
  sidecar->weight_bytes = read_bytes(outcome, "weight_bytes");
  sidecar->streamable_weight_bytes = read_later_bytes(outcome, "streamable_weight_bytes");
  sidecar->weight_staging_bytes = read_later_bytes(outcome, "weight_staging_bytes");
  sidecar->built = outcome.text("built");
}

}  // namespace

EngineSidecar read_engine_sidecar(const std::string& path) {
  EngineSidecar sidecar;
  sidecar.path = path;
  const JsonPlace document{path, "", "`vidrt build` builds it again."};
  try {
    const nlohmann::json json = parse_json(read_file(path, kMaxFileBytes), document);
    JsonObject root(json, document);
    root.small_integer("schema_version", kSchemaVersion, kSchemaVersion);
    read_source(root.object("source"), &sidecar);
    read_target(root.object("target"), &sidecar);
    read_outcome(root.object("outcome"), &sidecar);
  } catch (const BundleError& error) {
    throw BackendError(std::string("the sidecar cannot be read: ") + error.what());
  }
  return sidecar;
}

}  // namespace vidrt
