#include "runtime/prompt_cleaning.h"

#include <string_view>
#include <utility>

#include "runtime/html_unescape.h"
#include "runtime/utf8.h"

namespace vidrt {
namespace {

// What a strip takes besides a space, once all white space is one: Python counts the four separators of ASCII.
constexpr std::string_view kAtTheEnds(" \x1C\x1D\x1E\x1F");

std::string single_spaced(const std::string& text) {
  std::string single;
  for (const char c : replaced_by_space(text, unicode_spaces())) {
    if (c != ' ' || single.empty() || single.back() != ' ') single += c;
  }
  const std::size_t begin = single.find_first_not_of(kAtTheEnds);
  if (begin == std::string::npos) return {};
  return single.substr(begin, single.find_last_not_of(kAtTheEnds) + 1 - begin);
}

}  // namespace

std::string clean_prompt(const std::string& text, const std::string& cleaning) {
  require_utf8(text);
  if (cleaning == "none") return text;
  return single_spaced(cleaning == "html" ? html_unescape(html_unescape(text)) : text);
}

CleaningTokenizer::CleaningTokenizer(std::unique_ptr<Tokenizer> inner, std::string cleaning)
    : inner_(std::move(inner)), cleaning_(std::move(cleaning)) {}

Tokens CleaningTokenizer::encode(const std::string& text) const {
  return inner_->encode(clean_prompt(text, cleaning_));
}

}  // namespace vidrt
