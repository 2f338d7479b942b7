#include "runtime/engine_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "runtime/cache_folder.h"
#include "runtime/engine_target.h"
#include "runtime/joined.h"
#include "runtime/sha256.h"
#include "runtime/verified_files.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAgain = "It is not used; `vidrt build` builds it again.";

std::string other_sizes(const EngineSidecar& engine, const ModuleSizes& sizes) {
  std::vector<std::string> differences;
  for (const auto& [name, asked] : sizes) {
    const auto found = engine.sizes.find(name);
    if (found == engine.sizes.end()) continue;  // the module does not depend on it
    const SizeRange& built = found->second;
    if (built.holds(asked)) continue;
    std::string wanted = std::to_string(asked.min);
    if (asked.max != asked.min) wanted += " to " + std::to_string(asked.max);
    differences.push_back(name + " is " + std::to_string(built.min) + " to " + std::to_string(built.max) +
                          ", asked for " + wanted);
  }
  return joined(differences);
}

// All that stands against an engine but its plan; empty where nothing does.
std::string differences(const EngineSidecar& engine, const EngineWish& wish) {
  std::vector<std::string> reasons;
  const auto add = [&](std::string reason) {
    if (!reason.empty()) reasons.push_back(std::move(reason));
  };
  if (!wish.variant.empty() && engine.variant != wish.variant) {
    add("built from variant " + engine.variant + ", asked for " + wish.variant);
  }
  add(changed_source(engine, wish.bundle));
  // TensorRT loads it all the same, and would compute with nothing in their place.
  if (engine.stripped) add("built without its weights (--strip), which vidrt does not put back");
  if (!wish.version.empty() && !same_version(engine.version, wish.version) && !engine.version_compatible) {
    add("built by version " + engine.version + ", installed is " + wish.version);
  }
  if (const std::string here = processor(); engine.machine != here) {
    add("built for " + engine.machine + ", this machine is " + here);
  } else if (!wish.compute_capability.empty() && !runs_on(engine.compute_capabilities, wish.compute_capability)) {
    add("built for compute capability " + joined(engine.compute_capabilities) + ", the device has " +
        wish.compute_capability);
  }
  add(other_sizes(engine, wish.sizes));
  return joined(reasons);
}

// What is wrong with a plan; empty where it is what its sidecar says. Hashed once, as the weights are.
std::string plan_fault(const EngineSidecar& engine) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(engine.plan, error);
  if (error) return "the plan " + engine.plan + " cannot be read: " + error.message() + ". " + kAgain;
  if (bytes != engine.plan_bytes) {
    return "the plan " + engine.plan + " has " + std::to_string(bytes) + " bytes, expected " +
           std::to_string(engine.plan_bytes) + ". " + kAgain;
  }
  try {
    const FileStamp stamp = file_stamp(engine.plan, engine.plan_sha256);
    if (is_verified(stamp)) return "";
    if (sha256_of_file(engine.plan) != engine.plan_sha256) {
      return "the plan " + engine.plan + " was changed after it was built: its SHA-256 differs. " + kAgain;
    }
    remember_verified(stamp);
    return "";
  } catch (const Error& unreadable) {
    return unreadable.what();
  }
}

// The sidecars of a module's engines, by their names, in no order. A folder that is not there has none.
std::vector<fs::path> sidecars(const std::string& folder, const std::string& module) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".json" && path.filename().string().rfind(module + ".", 0) == 0) found.push_back(path);
  }
  return found;
}

// Engines of a module for a backend, whatever their variant, in the order in which find_engine takes them; sidecars
// that cannot be read become reasons.
std::vector<EngineSidecar> engines_of(const std::string& folder, const EngineWish& wish,
                                      std::vector<std::string>* reasons) {
  std::vector<EngineSidecar> engines;
  for (const fs::path& path : sidecars(folder, wish.module)) {
    try {
      EngineSidecar engine = read_engine_sidecar(path.string());
      if (engine.bundle == wish.bundle.manifest().name && engine.module == wish.module &&
          engine.backend == wish.backend) {
        engines.push_back(std::move(engine));
      }
    } catch (const BackendError& error) {
      reasons->push_back(path.filename().string() + ": " + error.what());
    }
  }
  std::sort(engines.begin(), engines.end(), [](const EngineSidecar& a, const EngineSidecar& b) {
    // One whose activations are not known may take any amount.
    const std::uint64_t a_bytes = a.activation_bytes - 1;
    const std::uint64_t b_bytes = b.activation_bytes - 1;
    return std::tie(a_bytes, b.built, a.path) < std::tie(b_bytes, a.built, b.path);
  });
  return engines;
}

}  // namespace

MissingEngine::MissingEngine(const std::string& message, const EngineWish& wish)
    : BackendError(message), module(wish.module), variant(wish.variant), sizes(wish.sizes) {}

MissingEngine::~MissingEngine() = default;

std::string default_engine_folder() {
  const std::string folder = cache_folder();
  return folder.empty() ? "" : (fs::path(folder) / "engines").string();
}

std::string how_to_build(const Bundle& bundle, const std::string& backend) {
  return "Build what is missing with `vidrt build " + bundle.path() + " --backend " + backend +
         "` and the sizes that you want, or have it built on the way: --build-engines, in Python build_engines=True.";
}

std::string changed_source(const EngineSidecar& engine, const Bundle& bundle) {
  if (!bundle.has_module(engine.module)) return "the bundle has no module " + engine.module + " any more";
  const std::vector<Variant>& variants = bundle.module(engine.module).variants;
  const auto variant =
      std::find_if(variants.begin(), variants.end(), [&](const Variant& one) { return one.id == engine.variant; });
  if (variant == variants.end()) {
    return "the bundle has no variant " + engine.variant + " of " + engine.module + " any more";
  }
  if (variant->sha256 != engine.graph_sha256) {
    constexpr std::size_t kShort = 12;
    return "built from graph " + engine.graph_sha256.substr(0, kShort) + ", the bundle has " +
           variant->sha256.substr(0, kShort);
  }
  std::map<std::string, std::string> files;
  for (const std::string& name : variant->data_files) files[name] = bundle.manifest().data_files.at(name).sha256;
  return files == engine.data_files ? "" : "built with other weights than the bundle has";
}

EngineSidecar find_engine(const std::string& folder, const EngineWish& wish) {
  std::vector<std::string> reasons;
  for (EngineSidecar& engine : engines_of(folder, wish, &reasons)) {
    std::string reason = differences(engine, wish);
    if (reason.empty()) reason = plan_fault(engine);
    if (reason.empty()) return std::move(engine);
    reasons.push_back(fs::path(engine.path).filename().string() + ": " + reason);
  }
  const std::string found = reasons.empty() ? "none was built" : joined(reasons, "; ");
  throw MissingEngine("no engine of " + wish.bundle.manifest().name + "'s " + wish.module + " for " + wish.backend +
                          " fits: " + found + ". Looked in " + folder + ". " + how_to_build(wish.bundle, wish.backend),
                      wish);
}

std::string engine_fault(const std::string& folder, const EngineWish& wish) {
  std::vector<std::string> reasons;
  for (const EngineSidecar& engine : engines_of(folder, wish, &reasons)) {
    if (engine.variant != wish.variant) continue;
    const std::string reason = differences(engine, wish);
    if (reason.empty()) return "";
    reasons.push_back(fs::path(engine.path).filename().string() + ": " + reason);
  }
  return reasons.empty() ? "none was built" : joined(reasons, "; ");
}

}  // namespace vidrt
