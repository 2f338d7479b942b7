// Prompts that name several things of which the model shows one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vidrt/bundle.h"

namespace vidrt {

/// Immutable after construction; find() is thread-safe.
class ExclusiveWords {
 public:
  /// `groups` as Manifest::exclusive_words holds them.
  explicit ExclusiveWords(const std::map<std::string, ExclusiveGroup>& groups);

  /// A warning for each group of which the text names more than one value. Where several phrases begin at one word
  /// the longest counts.
  std::vector<std::string> warnings(std::string_view text) const;

 private:
  struct Phrase {
    std::vector<std::string> words;
    std::size_t value;  // its index in the group
  };

  std::map<std::string, std::vector<Phrase>> groups_;  // of each group the longest first
};

}  // namespace vidrt
