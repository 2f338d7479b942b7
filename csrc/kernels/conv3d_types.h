// The words of the 3D convolution operators: attributes, element types, shapes. No framework's types here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vidrt::kernels {

enum class ElementType { kFloat32, kFloat16, kBFloat16 };
enum class TemporalPadding { kCausal, kSame, kValid };
enum class SpatialPadding { kSame, kValid };
enum class PadMode { kZeros, kReplicate };
enum class Activation { kNone, kRelu, kSilu, kGelu, kGeluTanh };
enum class DataLayout { kNCTHW, kNTHWC };

/// Attributes of vidrt::DepthwiseConv3d; the order of the axes is time, height, width.
struct DepthwiseConv3dAttributes {
  std::array<std::int64_t, 3> strides{1, 1, 1};
  std::array<std::int64_t, 3> dilations{1, 1, 1};
  TemporalPadding temporal_padding = TemporalPadding::kSame;
  PadMode temporal_pad_mode = PadMode::kZeros;
  SpatialPadding spatial_padding = SpatialPadding::kSame;
  PadMode spatial_pad_mode = PadMode::kZeros;
  Activation activation = Activation::kNone;
  DataLayout data_layout = DataLayout::kNCTHW;
};

/// Sizes of a clip, whatever its layout in memory.
struct ClipShape {
  std::int64_t n = 0, c = 0, t = 0, h = 0, w = 0;

  std::int64_t elements() const { return n * c * t * h * w; }
  /// As a tensor's dimensions: five numbers in the order of the layout.
  std::array<std::int64_t, 5> dims(DataLayout layout) const;
  static ClipShape from_dims(const std::array<std::int64_t, 5>& dims, DataLayout layout);
};

bool operator==(const ClipShape& a, const ClipShape& b);

/// "(1,64,9,60,104)", for messages.
std::string to_string(const std::array<std::int64_t, 5>& dims);

/// Bytes of one element.
std::size_t size_of(ElementType type);

// The values of the attributes as ONNX nodes and plugin fields spell them: causal, same, valid; zeros, replicate; none,
// relu, silu, gelu, gelu_tanh; NCTHW, NTHWC. Each throws std::invalid_argument that lists what was expected.
TemporalPadding parse_temporal_padding(const std::string& text);
SpatialPadding parse_spatial_padding(const std::string& text);
PadMode parse_pad_mode(const std::string& attribute, const std::string& text);
Activation parse_activation(const std::string& attribute, const std::string& text);
DataLayout parse_data_layout(const std::string& text);
const char* to_string(TemporalPadding value);
const char* to_string(SpatialPadding value);
const char* to_string(PadMode value);
const char* to_string(Activation value);
const char* to_string(DataLayout value);
const char* to_string(ElementType value);

}  // namespace vidrt::kernels
