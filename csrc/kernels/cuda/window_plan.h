// Which convolutions the sliding-window kernels do, and how they cut them into blocks.
#pragma once

#include <optional>

#include "kernels/cuda/launch_shape.h"
#include "kernels/cuda/window_layout.h"
#include "kernels/depthwise_conv3d.h"

namespace vidrt::kernels::cuda {

struct WindowPlan {
  WindowTile tile;
  WindowTile tiles;
  LaunchShape shape;
};

WindowLayout window_layout(const DepthwiseConv3dProblem& problem);

/// The tile that moves the fewest bytes among those that keep a device busy. None where the general kernel is needed: a
/// filter other than 3x3x3, 5x5x5, 3x1x1 and 1x3x3, strides or dilations other than 1, a size that 32 bits do not hold.
/// Takes some microseconds.
std::optional<WindowPlan> plan_window(const DepthwiseConv3dProblem& problem);

}  // namespace vidrt::kernels::cuda
