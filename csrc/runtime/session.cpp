#include "runtime/session.h"

#include <algorithm>

#include "runtime/joined.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

// Why a backend cannot run a variant; empty when it can.
std::string refusal(const Bundle& bundle, const std::string& module, const Variant& variant, const Backend& backend,
                    const std::string& wanted) {
  if (!wanted.empty() && variant.id != wanted) return "is not the variant asked for (" + wanted + ")";
  const bool supported =
      std::find(variant.backends.begin(), variant.backends.end(), backend.name()) != variant.backends.end();
  if (!supported) return "is for " + joined(variant.backends) + ", not for " + backend.name();
  for (const std::string& op : variant.custom_ops) {
    if (!backend.has_custom_op(op)) return "needs the operator " + op + ", which " + backend.name() + " does not have";
  }
  return backend.lacks(bundle, module, variant);
}

}  // namespace

bool same_shapes(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedTensor& x, const NamedTensor& y) {
    return x.view.dtype == y.view.dtype && x.view.shape == y.view.shape && x.name == y.name;
  });
}

bool same_tensors(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  const auto same_place = [](const NamedTensor& x, const NamedTensor& y) { return x.view.data == y.view.data; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_place) && same_shapes(a, b);
}

bool takes_sizes(const ModuleSizes& built, const ModuleSizes& asked) {
  return std::all_of(asked.begin(), asked.end(), [&](const auto& size) {
    const auto found = built.find(size.first);
    return found == built.end() || found->second.holds(size.second);
  });
}

std::uint64_t Backend::loaded_weight_bytes(const Variant& variant) {
  const bool widened = variant.precision == "fp32" && variant.storage != "fp32";
  return variant.weight_bytes * (widened ? 2 : 1);
}

const Variant& choose_variant(const Bundle& bundle, const Module& module, const Backend& backend,
                              const std::string& wanted) {
  std::string reasons;
  for (const Variant& variant : module.variants) {
    const std::string reason = refusal(bundle, module.name, variant, backend, wanted);
    if (reason.empty()) return variant;
    reasons += "\n  " + variant.id + " " + reason;
  }
  throw BackendError("no variant of " + module.name + " can run:" + reasons);
}

}  // namespace vidrt
