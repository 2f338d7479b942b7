// Convolutions that the sliding-window kernels do.
#pragma once

#include "support/conv_case.h"

namespace vidrt::kernels::testing {

constexpr std::uint32_t kWindowCases = 192;

/// Seeds from 1 to kWindowCases together reach every filter, element type and layout, at sizes at which words of 16
/// bytes can move, or just cannot, and at which clips are cut into tiles along every axis.
ConvCase window_case(std::uint32_t seed);

}  // namespace vidrt::kernels::testing
