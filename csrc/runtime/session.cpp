#include "runtime/session.h"

#include <algorithm>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Why a backend cannot run a variant; empty when it can.
std::string refusal(const Bundle& bundle, const std::string& module, const Variant& variant, const Backend& backend,
                    const std::string& wanted) {
  if (!wanted.empty() && variant.id != wanted) return "is not the variant asked for (" + wanted + ")";
  const bool supported =
      std::find(variant.backends.begin(), variant.backends.end(), backend.name()) != variant.backends.end();
  if (!supported) return "is for " + join(variant.backends) + ", not for " + backend.name();
  for (const std::string& op : variant.custom_ops) {
    if (!backend.has_custom_op(op)) return "needs the operator " + op + ", which " + backend.name() + " does not have";
  }
  return backend.lacks(bundle, module, variant);
}

}  // namespace

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
