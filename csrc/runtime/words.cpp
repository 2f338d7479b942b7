#include "runtime/words.h"

#include <algorithm>

namespace vidrt {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool in_word(char c) {
  const char letter = lower(c);
  return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '\'' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    text.remove_prefix(static_cast<std::size_t>(std::find_if(text.begin(), text.end(), in_word) - text.begin()));
    if (text.empty()) return words;
    const auto size = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), in_word) - text.begin());
    words.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::string lower_ascii(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
  return lowered;
}

std::string quoted_list(const std::vector<std::string>& words, std::size_t most) {
  std::string list;
  for (std::size_t i = 0; i < std::min(most, words.size()); ++i) list += (i == 0 ? "'" : ", '") + words[i] + "'";
  if (words.size() > most) list += " and " + std::to_string(words.size() - most) + " others";
  return list;
}

}  // namespace vidrt
