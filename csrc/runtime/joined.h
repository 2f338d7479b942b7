// Texts one after another with something between them, for messages.
#pragma once

#include <string>
#include <vector>

namespace vidrt {

template <typename Iterator>
std::string joined(Iterator begin, Iterator end, const char* separator) {
  std::string text;
  for (Iterator at = begin; at != end; ++at) {
    if (at != begin) text += separator;
    text += *at;
  }
  return text;
}

inline std::string joined(const std::vector<std::string>& texts, const char* separator = ", ") {
  return joined(texts.begin(), texts.end(), separator);
}

}  // namespace vidrt
