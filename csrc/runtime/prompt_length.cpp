#include "runtime/prompt_length.h"

#include <sstream>
#include <vector>

#include "runtime/joined.h"
#include "runtime/utf8.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::size_t kQuoted = 120;  // bytes of the words that do not fit

// White space, not the tokenizer's idea of a word, so that a message speaks of what its reader sees.
std::vector<std::string> visible_words(const std::string& text) {
  std::istringstream stream(replaced_by_space(text, unicode_spaces()));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string joined_part(const std::vector<std::string>& words, std::size_t begin, std::size_t end) {
  const auto at = [&](std::size_t i) { return words.begin() + static_cast<std::ptrdiff_t>(i); };
  return joined(at(begin), at(end), " ");
}

// More words never have fewer tokens, so the number of those that fit is found by halving.
std::size_t count_that_fit(const Tokenizer& tokenizer, const std::vector<std::string>& words, std::size_t max_length) {
  std::size_t fit = 0;
  std::size_t too_many = words.size() + 1;
  while (too_many - fit > 1) {
    const std::size_t middle = fit + (too_many - fit) / 2;
    const bool fits = tokenizer.encode(joined_part(words, 0, middle)).ids.size() <= max_length;
    (fits ? fit : too_many) = middle;
  }
  return fit;
}

std::string shortened(const std::string& text) {
  if (text.size() <= kQuoted) return text;
  const std::string cut = text.substr(0, kQuoted);
  return cut.substr(0, first_invalid_utf8(cut)) + "...";  // a character that was cut through goes as well
}

}  // namespace

FittedPrompt fit_prompt(const Tokenizer& tokenizer, const TokenizerConfig& config, const std::string& prompt,
                        bool truncate) {
  FittedPrompt fitted{tokenizer.encode(prompt), {}, prompt, {}};
  fitted.padded = pad_tokens(fitted.tokens, config);
  if (!fitted.padded.truncated) return fitted;

  const std::vector<std::string> words = visible_words(prompt);
  const std::size_t fit = count_that_fit(tokenizer, words, static_cast<std::size_t>(config.max_length));
  const std::string message = "the prompt has " + std::to_string(fitted.tokens.ids.size()) +
                              " tokens, the end marker included, but this model takes " +
                              std::to_string(config.max_length) + ": " + std::to_string(fit) + " of its " +
                              std::to_string(words.size()) + " words. It " + (truncate ? "does" : "would") +
                              " not see '" + shortened(joined_part(words, fit, words.size())) + "'";
  if (!truncate) throw InvalidArgument(message + "; shorten it, or set truncate to cut it.");
  fitted.seen = joined_part(words, 0, fit);
  fitted.warning = message + ".";
  return fitted;
}

}  // namespace vidrt
