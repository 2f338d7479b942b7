#include "runtime/image_input.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/sha256.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kLevels = 256;

std::array<float, kLevels> level_values() {
  std::array<float, kLevels> values{};
  for (int level = 0; level < kLevels; ++level) {
    values[static_cast<std::size_t>(level)] = 2.0f * (static_cast<float>(level) / 255.0f) - 1.0f;
  }
  return values;
}

}  // namespace

void check_image(const Manifest& manifest, const TensorView& image, int height, int width) {
  if (manifest.image_conditioning == "none") {
    throw InvalidArgument("got an image, but the bundle '" + manifest.name +
                          "' makes videos from text alone (image_conditioning none); leave image out, or open a bundle "
                          "that takes one.");
  }
  const Shape pixels{height, width, 3};
  const Shape planes{3, height, width};
  const bool is_rgb = image.dtype == DType::kUInt8 && image.shape == pixels;
  const bool is_float = image.dtype == DType::kFloat32 && image.shape == planes;
  if (image.data == nullptr || !(is_rgb || is_float)) {
    throw InvalidArgument("image must be uint8 " + shape_string(pixels) + " or float32 " + shape_string(planes) +
                          " for a video of this size, got " + dtype_name(image.dtype) + " " +
                          shape_string(image.shape) + "; resize it, or set height and width to what it has.");
  }
  if (is_rgb) return;
  const float* values = image.as<float>();
  // In this order NaN is refused as well.
  if (!std::all_of(values, values + image.elements(), [](float value) { return value >= -1.0f && value <= 1.0f; })) {
    throw InvalidArgument("image holds values outside [-1, 1] or that are not finite; expected RGB from -1 to 1.");
  }
}

std::vector<float> normalised_image(const TensorView& image) {
  std::vector<float> values(static_cast<std::size_t>(image.elements()));
  if (image.dtype == DType::kFloat32) {
    std::copy_n(image.as<float>(), values.size(), values.data());
    return values;
  }
  static const std::array<float, kLevels> kValues = level_values();
  const std::uint8_t* rgb = image.as<std::uint8_t>();
  const std::size_t pixels = values.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t channel = 0; channel < 3; ++channel) values[channel * pixels + i] = kValues[rgb[3 * i + channel]];
  }
  return values;
}

std::string image_sha256(const TensorView& image) {
  Sha256 hash;
  hash.update(image.data, image.bytes());
  return hash.finish();
}

}  // namespace vidrt
