#include "runtime/activation_model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/cache_folder.h"
#include "runtime/decode_planner.h"
#include "runtime/json_object.h"
#include "runtime/paths.h"
#include "runtime/processor.h"
#include "runtime/sha256.h"
#include "vidrt/errors.h"
#include "vidrt/version.h"

namespace vidrt {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxFileBytes = 65536;
constexpr double kMaxBytes = 4611686018427387904.0;  // 2^62
constexpr const char* kFormat = "vidrt.activations.v1";
constexpr const char* kAdvice = "Measure again with vidrt plan --measure.";

double size_or_one(const ModuleSizes& sizes, const char* name) {
  const auto found = sizes.find(name);
  return found == sizes.end() ? 1.0 : static_cast<double>(found->second.max);
}

double latent_frames(const VaeConfig& vae, const ModuleSizes& sizes) {
  if (sizes.count("decode_chunk") != 0) return size_or_one(sizes, "decode_chunk");
  const auto found = sizes.find("num_frames");
  return found == sizes.end() ? 1.0 : latent_frames_of_clip(vae, static_cast<int>(found->second.max));
}

// Throws Error where it is no model.
ActivationModel read_model(const std::string& path) {
  const JsonPlace place{path, "", kAdvice};
  const json document = parse_json(read_file(path, kMaxFileBytes), place);
  JsonObject root(document, place);
  root.word("format", {kFormat});
  ActivationModel model;
  const auto number = [&](const json& value, double least) {
    const bool valid = value.is_number() && value.get<double>() >= least && value.get<double>() <= kMaxBytes;
    if (!valid) place.fail(value.dump().substr(0, 60), "a number of bytes");
    return value.get<double>();
  };
  model.packed_bytes = static_cast<std::uint64_t>(number(root.required("packed_bytes"), 0.0));
  const std::size_t count = model.coefficients.size();
  const json& coefficients = read_array(root.required("coefficients"), place.key("coefficients"), count, count);
  for (std::size_t i = 0; i < count; ++i) model.coefficients[i] = number(coefficients[i], i == 0 ? -kMaxBytes : 0.0);
  root.finish();
  return model;
}

}  // namespace

std::array<double, 5> activation_terms(const VaeConfig& vae, const ModuleSizes& sizes) {
  const auto latent = [&](const char* name) {
    return std::max(1.0, size_or_one(sizes, name) / static_cast<double>(vae.spatial_ratio));
  };
  const double batch = size_or_one(sizes, "batch");
  const double frames = latent_frames(vae, sizes);
  const double area = latent("height") * latent("width");
  const double voxels = area * frames;
  return {1.0, batch * voxels, batch * voxels * voxels, batch * frames * voxels, batch * area * voxels};
}

std::uint64_t ActivationModel::activation_bytes(const std::array<double, 5>& terms) const {
  double bytes = 0.0;
  for (std::size_t i = 0; i < terms.size(); ++i) bytes += coefficients[i] * terms[i];
  return static_cast<std::uint64_t>(std::clamp(bytes, 0.0, kMaxBytes));
}

std::optional<ActivationModel> read_activation_model(const std::string& path) {
  std::error_code error;
  if (path.empty() || !std::filesystem::is_regular_file(path, error)) return std::nullopt;
  try {
    return read_model(path);
  } catch (const Error&) {
    return std::nullopt;  // as if nothing had been measured, which the plan says
  }
}

std::string activation_model_path(const Variant& variant, const Backend& backend, int threads) {
  const std::string folder = cache_folder();
  if (folder.empty()) return "";
  const std::string key =
      sha256_of(std::string("vidrt ") + version() + "\n" + variant.sha256 + "\n" + backend.description() + "\n" +
                std::to_string(threads > 0 ? threads : physical_cores()) + " threads\n" + processor_description());
  return (std::filesystem::path(folder) / "activations" / (key + ".json")).string();
}

}  // namespace vidrt
