// The shape of the result as far as it follows from the inputs' shapes, some of whose sizes may be names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/conv3d_types.h"

namespace vidrt::custom_ops {

/// A number, or a name for one ("T"), or neither.
struct Dimension {
  std::int64_t value = -1;
  std::string symbol;

  bool is_number() const { return value >= 0; }
  bool is_known() const { return is_number() || !symbol.empty(); }
};

bool operator==(const Dimension& a, const Dimension& b);

/// Empty: nothing is known, not even the number of dimensions.
using SymbolicShape = std::vector<Dimension>;

/// The shape of Y. `pointwise` is null for DepthwiseConv3d. Where a size follows from a name it keeps the name ("T"),
/// or is an expression of it ("floor((T - 1)/2) + 1"): the same input sizes give the same text. No value: some size
/// does not follow, or is wrong, which the kernel refuses with a reason.
std::optional<SymbolicShape> infer_shape(const kernels::DepthwiseConv3dAttributes& attributes, const SymbolicShape& x,
                                         const SymbolicShape& weight, const SymbolicShape* pointwise);

}  // namespace vidrt::custom_ops
