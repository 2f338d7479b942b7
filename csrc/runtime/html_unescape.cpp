#include "runtime/html_unescape.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/html_entities.h"
#include "runtime/utf8.h"

namespace vidrt {
namespace {

constexpr std::size_t kMaxNameCharacters = 32;
constexpr std::uint32_t kReplacement = 0xFFFD;
constexpr std::uint32_t kTooLarge = 0x110000;

// What the numbers 0x80 to 0x9F mean: windows-1252, with the numbers that it leaves free as they are (HTML standard,
// "numeric character reference end state").
constexpr std::array<std::uint16_t, 32> kWindows1252 = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                        0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                                        0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                        0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

// Control characters but white space, and noncharacters.
bool dropped(std::uint32_t number) {
  const bool control = number < 0x20 && number != '\t' && number != '\n' && number != '\f' && number != '\r';
  const bool noncharacter = (number >= 0xFDD0 && number <= 0xFDEF) || (number & 0xFFFEU) == 0xFFFE;
  return control || number == 0x7F || noncharacter;
}

std::string character_of(std::uint32_t number) {
  if (number >= 0x80 && number <= 0x9F) return utf8_of(kWindows1252[number - 0x80]);
  if (number == 0 || number >= kTooLarge || (number >= 0xD800 && number <= 0xDFFF)) return utf8_of(kReplacement);
  return dropped(number) ? std::string() : utf8_of(number);
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

// The readers are given what follows '&', append what it stands for and return the bytes read, 0 for no reference.

std::size_t read_number(std::string_view text, std::string* out) {
  const bool hexadecimal = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
  const std::uint32_t base = hexadecimal ? 16 : 10;
  const std::size_t begin = hexadecimal ? 2 : 1;
  std::uint32_t number = 0;
  std::size_t at = begin;
  for (; at < text.size() && digit_of(text[at]) < static_cast<int>(base); ++at) {
    number = std::min(number * base + static_cast<std::uint32_t>(digit_of(text[at])), kTooLarge);
  }
  if (at == begin) return 0;
  *out += character_of(number);
  return at + (at < text.size() && text[at] == ';' ? 1 : 0);
}

std::string_view name_at(std::string_view text) {
  constexpr std::string_view kEnds("\t\n\f <&#;");
  std::size_t size = 0;
  for (std::size_t i = 0; i < kMaxNameCharacters && size < text.size(); ++i) {
    if (kEnds.find(text[size]) != std::string_view::npos) break;
    size += std::max<std::size_t>(utf8_sequence_size(text.substr(size)), 1);
  }
  return text.substr(0, size);
}

std::size_t read_name(std::string_view text, std::string* out) {
  const HtmlEntities& entities = html_entities();
  const std::string_view name = name_at(text);
  if (name.empty()) return 0;
  const bool semicolon = name.size() < text.size() && text[name.size()] == ';';
  const auto whole = entities.find(name);
  if (whole != entities.end() && semicolon) {
    *out += whole->second.text;
    return name.size() + 1;
  }
  for (std::size_t size = name.size(); size > 1; --size) {
    const auto found = entities.find(name.substr(0, size));
    if (found == entities.end() || found->second.needs_semicolon) continue;
    *out += found->second.text;
    return size;
  }
  return 0;
}

}  // namespace

std::string html_unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const std::size_t reference = std::min(text.find('&'), text.size());
    plain += text.substr(0, reference);
    text.remove_prefix(reference);
    if (text.empty()) break;
    text.remove_prefix(1);
    const bool number = !text.empty() && text.front() == '#';
    const std::size_t read = number ? read_number(text, &plain) : read_name(text, &plain);
    if (read == 0) plain += '&';
    text.remove_prefix(read);
  }
  return plain;
}

}  // namespace vidrt
