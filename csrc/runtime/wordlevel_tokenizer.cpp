#include "runtime/wordlevel_tokenizer.h"

#include <algorithm>

#include "runtime/utf8.h"
#include "runtime/words.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::size_t kMaxWords = 1000000;

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw BundleError("'" + file + "' is no vocabulary: " + what +
                    "; expected one token a line in UTF-8, each once. Fetch or export the bundle again.");
}

void add_once(const std::string& word, std::vector<std::string>* words) {
  if (std::find(words->begin(), words->end(), word) == words->end()) words->push_back(word);
}

}  // namespace

WordlevelTokenizer::WordlevelTokenizer(const TokenizerConfig& config, const std::string& vocabulary,
                                       const std::string& file)
    : eos_id_(config.eos_id), unk_id_(config.unk_id) {
  if (first_invalid_utf8(vocabulary) != vocabulary.size()) fail(file, "it is not UTF-8");
  if (!config.added_tokens.empty()) fail(file, "a wordlevel tokenizer has no added_tokens");
  for (std::size_t begin = 0; begin < vocabulary.size();) {
    const std::size_t end = std::min(vocabulary.find('\n', begin), vocabulary.size());
    const std::string word = vocabulary.substr(begin, end - begin);
    const std::string line = "line " + std::to_string(ids_.size() + 1);
    if (word.empty()) fail(file, line + " is empty");
    if (word.back() == '\r') fail(file, line + " ends in a carriage return");
    if (ids_.size() == kMaxWords) fail(file, "it has more than " + std::to_string(kMaxWords) + " lines");
    if (!ids_.emplace(word, static_cast<std::int64_t>(ids_.size())).second) fail(file, line + " repeats a token");
    begin = end + 1;
  }
  const std::int64_t largest = std::max({config.pad_id, config.eos_id, config.unk_id.value_or(0)});
  if (largest >= static_cast<std::int64_t>(ids_.size())) {
    fail(file,
         "it has " + std::to_string(ids_.size()) + " tokens, but manifest.json uses the id " + std::to_string(largest));
  }
}

Tokens WordlevelTokenizer::encode(const std::string& text) const {
  require_utf8(text);
  Tokens tokens;
  for (const std::string_view word : split_words(text)) {
    const std::string written(word);
    const auto found = ids_.find(lower_ascii(word));
    if (found != ids_.end()) {
      tokens.ids.push_back(found->second);
      continue;
    }
    if (!unk_id_) {
      throw InvalidArgument("the model does not know the word '" + written +
                            "' and has no token for unknown words; expected words of its vocabulary. Leave it out or " +
                            "say it in other words.");
    }
    tokens.ids.push_back(*unk_id_);
    add_once(written, &tokens.unknown_words);
  }
  tokens.ids.push_back(eos_id_);
  return tokens;
}

}  // namespace vidrt
