#include "runtime/exclusive_words.h"

#include <algorithm>
#include <set>

#include "runtime/joined.h"
#include "runtime/words.h"

namespace vidrt {
namespace {

std::vector<std::string> lowered_words(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split_words(text)) words.push_back(lower_ascii(word));
  return words;
}

bool stands_at(const std::vector<std::string>& phrase, const std::vector<std::string>& words, std::size_t at) {
  return phrase.size() <= words.size() - at &&
         std::equal(phrase.begin(), phrase.end(), words.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

ExclusiveWords::ExclusiveWords(const std::map<std::string, ExclusiveGroup>& groups) {
  for (const auto& [name, group] : groups) {
    std::vector<Phrase>& phrases = groups_[name];
    for (std::size_t value = 0; value < group.size(); ++value) {
      for (const std::string& phrase : group[value]) phrases.push_back({lowered_words(phrase), value});
    }
    std::stable_sort(phrases.begin(), phrases.end(),
                     [](const Phrase& a, const Phrase& b) { return a.words.size() > b.words.size(); });
  }
}

std::vector<std::string> ExclusiveWords::warnings(std::string_view text) const {
  std::vector<std::string> warnings;
  const std::vector<std::string> words = lowered_words(text);
  for (const auto& [name, phrases] : groups_) {
    std::set<std::size_t> values;
    std::vector<std::string> named;  // of each value what the text says first
    for (std::size_t at = 0; at < words.size();) {
      const auto found = std::find_if(phrases.begin(), phrases.end(),
                                      [&](const Phrase& phrase) { return stands_at(phrase.words, words, at); });
      if (found == phrases.end()) {
        ++at;
        continue;
      }
      if (values.insert(found->value).second) named.push_back(joined(found->words, " "));
      at += found->words.size();
    }
    if (named.size() < 2) continue;
    warnings.push_back("the prompt names more than one " + name + ": " + quoted_list(named) +
                       "; the model shows one at most, and which of them is left to chance.");
  }
  return warnings;
}

}  // namespace vidrt
