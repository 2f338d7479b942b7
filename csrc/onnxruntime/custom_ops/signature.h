// The operators' names, inputs and outputs, in the order in which nodes have them.
#pragma once

#include <cstddef>
#include <vector>

namespace vidrt::custom_ops {

constexpr const char* kDomain = "vidrt";

/// What an input is to the convolution, wherever it stands.
enum class Role { kX, kWeight, kBias, kPointwise, kPointwiseBias, kResidual, kCacheIn };
constexpr std::size_t kRoles = 7;

/// As error messages call it: X, W, B, PW, PB, residual, cache_in.
const char* name_of(Role role);

inline bool is_optional(Role role) { return role != Role::kX && role != Role::kWeight && role != Role::kPointwise; }

struct Signature {
  const char* name;          // without the domain
  std::vector<Role> inputs;  // by position
  bool separable = false;
};

/// Output 0 is Y, output 1 the optional cache_out.
constexpr std::size_t kOutputs = 2;
constexpr std::size_t kCacheOut = 1;

/// Every operator there is. Lives as long as the process.
const std::vector<Signature>& signatures();

}  // namespace vidrt::custom_ops
