#include "runtime/added_tokens.h"

#include <algorithm>

#include "vidrt/errors.h"

namespace vidrt {

AddedTokens::AddedTokens(const std::map<std::string, std::int64_t>& tokens) : by_first_byte_(256) {
  for (const auto& [text, id] : tokens) {
    if (text.empty())
      throw BundleError("an added token has no text, expected at least 1 byte. Export the bundle again.");
    by_first_byte_[static_cast<unsigned char>(text.front())].emplace_back(text, id);
  }
  for (std::vector<Entry>& entries : by_first_byte_) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.first.size() > b.first.size(); });
  }
}

const AddedTokens::Entry* AddedTokens::match(std::string_view text) const {
  for (const Entry& entry : by_first_byte_[static_cast<unsigned char>(text.front())]) {
    if (text.substr(0, entry.first.size()) == entry.first) return &entry;
  }
  return nullptr;
}

void AddedTokens::split(std::string_view text, const std::function<void(std::string_view)>& on_text,
                        const std::function<void(std::int64_t)>& on_token) const {
  std::size_t piece = 0;  // where the text since the last token begins
  for (std::size_t at = 0; at < text.size();) {
    const Entry* entry = match(text.substr(at));
    if (entry == nullptr) {
      ++at;
      continue;
    }
    if (at > piece) on_text(text.substr(piece, at - piece));
    on_token(entry->second);
    at += entry->first.size();
    piece = at;
  }
  if (piece < text.size()) on_text(text.substr(piece));
}

}  // namespace vidrt
