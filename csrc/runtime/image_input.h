// The image that a video begins with, as a caller gives it: checked, named by its content, and as the encoder takes it.
#pragma once

#include <string>
#include <vector>

#include "vidrt/bundle.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// Throws InvalidArgument when the bundle takes no image, or the image is not (height,width,3) uint8 or
/// (3,height,width) float32 within [-1,1].
void check_image(const Manifest& manifest, const TensorView& image, int height, int width);

/// (3,H,W) of a checked image, in [-1,1]: x / 255 * 2 - 1 in fp32, as diffusers' VideoProcessor.
std::vector<float> normalised_image(const TensorView& image);

/// SHA-256 of a checked image's values in the order and the type in which they were given.
std::string image_sha256(const TensorView& image);

}  // namespace vidrt
