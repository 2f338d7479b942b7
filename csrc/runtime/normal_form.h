// Unicode's normal form C, as the tables of CLIP's tokenizer have it.
#pragma once

#include <cstdint>
#include <vector>

namespace vidrt {

using CodePoints = std::vector<std::uint32_t>;

/// Normalization Form C (Unicode Standard Annex 15): canonical decomposition, canonical order, canonical composition.
CodePoints normal_form_c(const CodePoints& text);

}  // namespace vidrt
