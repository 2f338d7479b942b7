// The named character references of HTML.
#pragma once

#include <string_view>
#include <unordered_map>

namespace vidrt {

struct HtmlEntity {
  std::string_view text;        // one or two characters, as UTF-8
  bool needs_semicolon = true;  // false: "&amp" alone is one as well
};

/// By name, without '&' and ';'.
using HtmlEntities = std::unordered_map<std::string_view, HtmlEntity>;

const HtmlEntities& html_entities();

}  // namespace vidrt
