// The comparison of a separable convolution that rounds between its two halves.
#pragma once

#include "support/conv_case.h"

namespace vidrt::kernels::testing {

/// As expect_as_reference, with a tolerance that grows by half the sum of the product's terms, by absolute value: between
/// the convolutions halves are rounded, as two operators would do it, each by up to half of what the tolerance allows of
/// a result; the reference rounds nothing there.
void expect_as_rounded_reference(const ConvCase& conv, const Separable& kernel);

}  // namespace vidrt::kernels::testing
