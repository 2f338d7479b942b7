#include "runtime/utf8.h"

#include <algorithm>

#include "vidrt/errors.h"

namespace vidrt {
// Unicode 15, table 3-7.
std::size_t utf8_sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string utf8_of(std::uint32_t code_point) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80U | ((code_point >> shift) & 0x3FU)); };
  const auto lead = [&](unsigned mark, unsigned shift) { return static_cast<char>(mark | (code_point >> shift)); };
  if (code_point < 0x80) return {lead(0, 0)};
  if (code_point < 0x800) return {lead(0xC0, 6), tail(0)};
  if (code_point < 0x10000) return {lead(0xE0, 12), tail(6), tail(0)};
  return {lead(0xF0, 18), tail(12), tail(6), tail(0)};
}

std::uint32_t code_point_at(std::string_view text) {
  const std::size_t size = utf8_sequence_size(text);
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  if (size == 1) return byte(0);
  std::uint32_t code_point = byte(0) & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) code_point = (code_point << 6U) | (byte(i) & 0x3FU);
  return code_point;
}

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t size = utf8_sequence_size(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return at;
}

const std::vector<std::string>& unicode_spaces() {
  static const std::vector<std::string> spaces = {
      "\t",           "\n",           "\v",           "\f",           "\r",           "\xC2\x85",
      "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83",
      "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89",
      "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  return spaces;
}

std::string replaced_by_space(std::string_view text, const std::vector<std::string>& characters) {
  std::string replaced;
  replaced.reserve(text.size());
  while (!text.empty()) {
    const std::string_view character = text.substr(0, std::max<std::size_t>(utf8_sequence_size(text), 1));
    const bool found = std::find(characters.begin(), characters.end(), character) != characters.end();
    replaced += found ? std::string_view(" ") : character;
    text.remove_prefix(character.size());
  }
  return replaced;
}

void require_utf8(const std::string& text) {
  const std::size_t at = first_invalid_utf8(text);
  if (at == text.size()) return;
  throw InvalidArgument("the prompt is not valid UTF-8: byte " + std::to_string(at) + " of " +
                        std::to_string(text.size()) + " begins no character. Encode the text as UTF-8.");
}

}  // namespace vidrt
