// Packed constant weights, one copy for all nodes of the process that have the same: the two step graphs of a decoder
// are two sessions with the same weights.
#pragma once

#include <memory>

#include "kernels/depthwise_conv3d_cpu.h"
#include "kernels/depthwise_separable_conv3d_cpu.h"

namespace vidrt::custom_ops {

/// The copy that is held already, if one is equal, else this one. Freed with its last holder. Thread-safe.
std::shared_ptr<const kernels::PackedDepthwise> share(kernels::PackedDepthwise packed);
std::shared_ptr<const kernels::PackedPointwise> share(kernels::PackedPointwise packed);

}  // namespace vidrt::custom_ops
