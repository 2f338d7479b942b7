// Tokens that are split off a text before the model sees the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vidrt {

class AddedTokens {
 public:
  explicit AddedTokens(const std::map<std::string, std::int64_t>& tokens);

  /// Walk over the text from left to right; where several tokens begin at one place the longest is taken. Calls
  /// `on_text` for every non-empty piece between tokens and `on_token` for every token.
  void split(std::string_view text, const std::function<void(std::string_view)>& on_text,
             const std::function<void(std::int64_t)>& on_token) const;

 private:
  using Entry = std::pair<std::string, std::int64_t>;
  const Entry* match(std::string_view text) const;

  // By first byte, the longest first.
  std::vector<std::vector<Entry>> by_first_byte_;
};

}  // namespace vidrt
