#include "onnxruntime/custom_ops/signature.h"

namespace vidrt::custom_ops {

const char* name_of(Role role) {
  constexpr const char* kNames[kRoles] = {"X", "W", "B", "PW", "PB", "residual", "cache_in"};
  return kNames[static_cast<std::size_t>(role)];
}

const std::vector<Signature>& signatures() {
  static const auto* const known = new std::vector<Signature>{
      {"DepthwiseConv3d", {Role::kX, Role::kWeight, Role::kBias, Role::kResidual, Role::kCacheIn}, false},
      {"DepthwiseSeparableConv3d",
       {Role::kX, Role::kWeight, Role::kBias, Role::kPointwise, Role::kPointwiseBias, Role::kResidual, Role::kCacheIn},
       true}};
  return *known;
}

}  // namespace vidrt::custom_ops
