// Separable convolutions whose 1x1x1 half is cut into tiles.
#pragma once

#include <vector>

#include "support/conv_case.h"

namespace vidrt::kernels::testing {

/// More channels, outputs and positions than a block takes, at sizes whose words can move whole and at odd ones.
std::vector<ConvCase> product_cases();

/// Enough blocks for the wide tiles.
std::vector<ConvCase> wide_product_cases();

}  // namespace vidrt::kernels::testing
