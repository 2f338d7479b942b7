#include "runtime/symbols.h"

#include <algorithm>
#include <charconv>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

// True when the whole text is a positive decimal number.
bool parse_number(const std::string& text, std::int64_t* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end && *value > 0;
}

}  // namespace

std::int64_t evaluate_dimension(const std::string& dimension, const SymbolValues& values) {
  std::int64_t number = 0;
  if (parse_number(dimension, &number)) return number;
  const std::size_t star = dimension.find('*');
  const std::string symbol = dimension.substr(0, star);
  const auto found = values.find(symbol);
  std::int64_t factor = 1;
  const bool factor_ok = star == std::string::npos || parse_number(dimension.substr(star + 1), &factor);
  if (found == values.end() || !factor_ok) {
    std::string known;
    for (const auto& entry : values) known += (known.empty() ? "" : ", ") + entry.first;
    throw BundleError("the manifest has the dimension '" + dimension +
                      "'; expected a number, or one of the symbols " + known +
                      ", alone or times a number. Export the bundle again.");
  }
  return element_count({found->second, factor});
}

Shape evaluate_shape(const TensorSpec& spec, const SymbolValues& values) {
  Shape shape;
  shape.reserve(spec.shape.size());
  for (const std::string& dimension : spec.shape) shape.push_back(evaluate_dimension(dimension, values));
  return shape;
}

const TensorSpec* find_tensor(const std::vector<TensorSpec>& specs, const std::string& name) {
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

}  // namespace vidrt
