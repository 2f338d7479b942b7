// UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vidrt {

/// Bytes of the sequence that begins here (not empty), 0 when it is not valid.
std::size_t utf8_sequence_size(std::string_view text);

/// A code point, at most U+10FFFF and no surrogate.
std::string utf8_of(std::uint32_t code_point);

/// The code point of the valid sequence at the beginning.
std::uint32_t code_point_at(std::string_view text);

/// Position of the first byte that is not part of a valid sequence, or text.size() when all are.
std::size_t first_invalid_utf8(std::string_view text);

/// The characters of Unicode's White_Space property but the space itself, each as UTF-8.
const std::vector<std::string>& unicode_spaces();

/// Valid UTF-8 with each of `characters` replaced by a space.
std::string replaced_by_space(std::string_view text, const std::vector<std::string>& characters);

/// Throws InvalidArgument that names the position of the first invalid byte.
void require_utf8(const std::string& text);

}  // namespace vidrt
