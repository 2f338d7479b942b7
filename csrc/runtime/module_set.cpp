#include "runtime/module_set.h"

#include <algorithm>
#include <utility>

#include "runtime/module_contract.h"
#include "runtime/stopwatch.h"
#include "vidrt/errors.h"

namespace vidrt {

ModuleSet::ModuleSet(const Bundle& bundle, std::shared_ptr<Backend> backend, const std::string& wanted_variant,
                     SessionOptions session_options)
    : bundle_(bundle), backend_(std::move(backend)), session_options_(session_options) {
  const Manifest& manifest = bundle.manifest();
  for (const std::string& name : generation_modules(manifest)) {
    chosen_[name] = &choose_variant(manifest.modules.at(name), *backend_, wanted_variant);
  }
}

const Variant& ModuleSet::variant(const std::string& module) const {
  const auto found = chosen_.find(module);
  if (found == chosen_.end()) throw BundleError("the bundle at " + bundle_.path() + " has no module '" + module + "'.");
  return *found->second;
}

void ModuleSet::load(const std::vector<std::string>& modules, const std::function<void()>& on_loaded) {
  for (const std::string& module : modules) {
    if (loaded(module)) continue;
    sessions_[module] = backend_->load(bundle_, module, variant(module), session_options_);
    on_loaded();
  }
}

void ModuleSet::keep_only(const std::vector<std::string>& modules) {
  for (auto entry = sessions_.begin(); entry != sessions_.end();) {
    const bool keep = std::find(modules.begin(), modules.end(), entry->first) != modules.end();
    entry = keep ? std::next(entry) : sessions_.erase(entry);
  }
}

void ModuleSet::run(const std::string& module, const std::vector<NamedTensor>& inputs,
                    const std::vector<NamedTensor>& outputs) {
  const Stopwatch stopwatch;
  sessions_.at(module)->run(inputs, outputs);
  session_ms_ += stopwatch.elapsed_ms();
}

}  // namespace vidrt
