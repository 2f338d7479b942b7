#include "kernels/conv3d_types.h"

#include <stdexcept>
#include <utility>

namespace vidrt::kernels {
namespace {

template <typename T, std::size_t N>
T parse(const std::string& attribute, const std::string& text, const std::pair<const char*, T> (&words)[N]) {
  std::string expected;
  for (const auto& [word, value] : words) {
    if (text == word) return value;
    expected += (expected.empty() ? "" : ", ") + std::string(word);
  }
  throw std::invalid_argument("attribute " + attribute + ": got '" + text + "', expected one of " + expected + ".");
}

template <typename T, std::size_t N>
const char* word_of(T value, const std::pair<const char*, T> (&words)[N]) {
  for (const auto& [word, known] : words) {
    if (known == value) return word;
  }
  return "unknown";
}

constexpr std::pair<const char*, TemporalPadding> kTemporalPaddings[] = {
    {"causal", TemporalPadding::kCausal}, {"same", TemporalPadding::kSame}, {"valid", TemporalPadding::kValid}};
constexpr std::pair<const char*, SpatialPadding> kSpatialPaddings[] = {{"same", SpatialPadding::kSame},
                                                                       {"valid", SpatialPadding::kValid}};
constexpr std::pair<const char*, PadMode> kPadModes[] = {{"zeros", PadMode::kZeros},
                                                         {"replicate", PadMode::kReplicate}};
constexpr std::pair<const char*, Activation> kActivations[] = {{"none", Activation::kNone},
                                                               {"relu", Activation::kRelu},
                                                               {"silu", Activation::kSilu},
                                                               {"gelu", Activation::kGelu},
                                                               {"gelu_tanh", Activation::kGeluTanh}};
constexpr std::pair<const char*, DataLayout> kDataLayouts[] = {{"NCTHW", DataLayout::kNCTHW},
                                                               {"NTHWC", DataLayout::kNTHWC}};
constexpr std::pair<const char*, ElementType> kElementTypes[] = {
    {"float32", ElementType::kFloat32}, {"float16", ElementType::kFloat16}, {"bfloat16", ElementType::kBFloat16}};

}  // namespace

std::array<std::int64_t, 5> ClipShape::dims(DataLayout layout) const {
  if (layout == DataLayout::kNCTHW) return {n, c, t, h, w};
  return {n, t, h, w, c};
}

ClipShape ClipShape::from_dims(const std::array<std::int64_t, 5>& dims, DataLayout layout) {
  if (layout == DataLayout::kNCTHW) return {dims[0], dims[1], dims[2], dims[3], dims[4]};
  return {dims[0], dims[4], dims[1], dims[2], dims[3]};
}

bool operator==(const ClipShape& a, const ClipShape& b) {
  return a.n == b.n && a.c == b.c && a.t == b.t && a.h == b.h && a.w == b.w;
}

std::string to_string(const std::array<std::int64_t, 5>& dims) {
  std::string text = "(";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(dims[i]);
  return text + ")";
}

std::size_t size_of(ElementType type) { return type == ElementType::kFloat32 ? 4 : 2; }

TemporalPadding parse_temporal_padding(const std::string& text) {
  return parse("temporal_padding", text, kTemporalPaddings);
}
SpatialPadding parse_spatial_padding(const std::string& text) {
  return parse("spatial_padding", text, kSpatialPaddings);
}
PadMode parse_pad_mode(const std::string& attribute, const std::string& text) {
  return parse(attribute, text, kPadModes);
}
Activation parse_activation(const std::string& attribute, const std::string& text) {
  return parse(attribute, text, kActivations);
}
DataLayout parse_data_layout(const std::string& text) { return parse("data_layout", text, kDataLayouts); }

const char* to_string(TemporalPadding value) { return word_of(value, kTemporalPaddings); }
const char* to_string(SpatialPadding value) { return word_of(value, kSpatialPaddings); }
const char* to_string(PadMode value) { return word_of(value, kPadModes); }
const char* to_string(Activation value) { return word_of(value, kActivations); }
const char* to_string(DataLayout value) { return word_of(value, kDataLayouts); }
const char* to_string(ElementType value) { return word_of(value, kElementTypes); }

}  // namespace vidrt::kernels
