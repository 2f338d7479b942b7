// Symbolic dimensions of the manifest ("B", "h*4", "16") to numbers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "vidrt/bundle.h"
#include "vidrt/tensor.h"

namespace vidrt {

using SymbolValues = std::map<std::string, std::int64_t>;

/// The value of one dimension: a number, a symbol, or symbol*number. Throws BundleError for anything else and for a
/// symbol without a value.
std::int64_t evaluate_dimension(const std::string& dimension, const SymbolValues& values);

/// The shape of a declared tensor.
Shape evaluate_shape(const TensorSpec& spec, const SymbolValues& values);

/// The declaration with this name, or null.
const TensorSpec* find_tensor(const std::vector<TensorSpec>& specs, const std::string& name);

}  // namespace vidrt
