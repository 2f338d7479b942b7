#include "runtime/module_set.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/module_contract.h"
#include "runtime/pages.h"
#include "runtime/stopwatch.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

bool has_variant(const Module& module, const std::string& id) {
  return std::any_of(module.variants.begin(), module.variants.end(),
                     [&](const Variant& variant) { return variant.id == id; });
}

}  // namespace

ModuleSet::ModuleSet(const Bundle& bundle, std::shared_ptr<Backend> backend, const std::string& wanted_variant,
                     SessionOptions session_options)
    : bundle_(bundle), backend_(std::move(backend)), session_options_(session_options) {
  const Manifest& manifest = bundle.manifest();
  const std::vector<std::string> names = generation_modules(manifest);
  const bool known = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return has_variant(manifest.modules.at(name), wanted_variant);
  });
  for (const std::string& name : names) {
    const Module& module = manifest.modules.at(name);
    // Not every module has every variant; a wish that none can grant is refused with all that there are.
    const bool wanted = !known || has_variant(module, wanted_variant);
    chosen_[name] = &choose_variant(bundle, module, *backend_, wanted ? wanted_variant : "");
    if (const auto model = read_activation_model(activations_file(name)); model.has_value()) measured_[name] = *model;
  }
}

const Variant& ModuleSet::variant(const std::string& module) const {
  const auto found = chosen_.find(module);
  if (found == chosen_.end()) throw BundleError("the bundle at " + bundle_.path() + " has no module '" + module + "'.");
  return *found->second;
}

std::string ModuleSet::activations_file(const std::string& module) const {
  return activation_model_path(variant(module), *backend_, session_options_.threads);
}

ModuleNeeds ModuleSet::needs(const std::string& module, const ModuleSizes& sizes) const {
  ModuleNeeds needs = backend_->needs({bundle_, module, variant(module), sizes});
  const std::array<double, 5> terms = activation_terms(bundle_.manifest().vae, sizes);
  needs.activation_terms.assign(terms.begin(), terms.end());
  const auto measured = measured_.find(module);
  // A backend that is lent memory for its runs takes none of its own.
  needs.activations_known = needs.workspace_bytes != 0 || measured != measured_.end();
  if (needs.workspace_bytes != 0 || !needs.activations_known) return needs;
  needs.packed_bytes = measured->second.packed_bytes;
  needs.activation_bytes = measured->second.activation_bytes(terms);
  return needs;
}

bool ModuleSet::loaded(const std::string& module, const ModuleSizes& sizes, std::uint64_t streamed_bytes) const {
  const auto found = loaded_.find(module);
  return found != loaded_.end() && found->second.streamed_bytes == streamed_bytes &&
         found->second.session->takes(sizes);
}

void ModuleSet::load(const std::string& module, const ModuleSizes& sizes, std::uint64_t streamed_bytes) {
  unload(module);  // first, so that two never lie in memory together
  SessionOptions options = session_options_;
  options.streamed_bytes = streamed_bytes;
  const std::optional<std::uint64_t> before = backend_->device().free_bytes();
  Loaded entry{backend_->load({bundle_, module, variant(module), sizes}, options), streamed_bytes, 0};
  const std::optional<std::uint64_t> after = backend_->device().free_bytes();
  if (before.has_value() && after.has_value() && *after < *before) entry.held_bytes = *before - *after;
  held_bytes_ += entry.held_bytes;
  loaded_[module] = std::move(entry);
  trim_heap();  // of what making a session took for a while
}

void ModuleSet::unload(const std::string& module) {
  const auto found = loaded_.find(module);
  if (found == loaded_.end()) return;
  held_bytes_ -= found->second.held_bytes;
  const Loaded entry = std::move(found->second);
  loaded_.erase(found);
  if (session_options_.profile_layers) layer_times_[module].append(entry.session->take_layer_times());
}

void ModuleSet::keep_only(const std::vector<std::string>& modules) {
  std::vector<std::string> others;
  for (const auto& [name, entry] : loaded_) {
    if (std::find(modules.begin(), modules.end(), name) == modules.end()) others.push_back(name);
  }
  for (const std::string& name : others) unload(name);
  if (!others.empty()) trim_heap();
}

void ModuleSet::run(const std::string& module, const std::vector<NamedTensor>& inputs,
                    const std::vector<NamedTensor>& outputs, const Workspace& workspace) {
  if (module != last_run_) rest();
  last_run_ = module;
  const Stopwatch stopwatch;
  loaded_.at(module).session->run(inputs, outputs, workspace);
  session_ms_ += stopwatch.elapsed_ms();
}

LayerProfile ModuleSet::take_layer_profile() {
  keep_only({});
  LayerProfile profile;
  for (const auto& [module, times] : std::exchange(layer_times_, {})) {
    if (times.runs() == 0 && times.missed_runs() == 0) continue;  // loaded, and not needed
    profile.push_back(times.profile());
    profile.back().module = module;
    profile.back().variant = variant(module).id;
  }
  return profile;
}

void ModuleSet::rest() {
  last_run_.clear();
  backend_->release_unused_memory();
}

}  // namespace vidrt
