// A causal clip convolved part by part.
#pragma once

#include "support/conv_case.h"

namespace vidrt::kernels::testing {

/// Convolve the case's clip, made 7 frames long, at once and in parts of 1, 2 and 4 frames, each of which takes the
/// cache that the one before gave, and report (EXPECT) where bits of Y differ. Nothing where the case is not causal in
/// time.
void expect_parts_as_whole(ConvCase whole, const Depthwise& kernel);

}  // namespace vidrt::kernels::testing
