// Embeddings of prompts in the user's cache folder, so that a later process does without the text encoder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vidrt/prompt_embeds.h"

namespace vidrt {

/// What an entry has to agree with before it is used.
struct WantedEmbeds {
  std::string key;  // 64 hex digits
  std::string encoder_id;
  std::int64_t length = 0;
  std::int64_t dim = 0;
  const std::vector<std::int64_t>& mask;
};

/// One file an entry, `KEY.safetensors` as PromptEmbeds::save() writes it, but for the text: in its place is the hash
/// of the values, so that what is damaged shows. Safe with other threads and processes: files come and go whole.
class EmbedsCache {
 public:
  /// In `prompt-embeds` of the user's cache folder. 0 bytes, or a user without a home: nothing is read or written.
  explicit EmbedsCache(std::uint64_t max_bytes);

  bool enabled() const { return !folder_.empty(); }
  /// The entry, or null where there is none; `warning` says what was wrong with one that cannot be used. Its prompt is
  /// left empty. It counts as used now.
  std::shared_ptr<PromptEmbeds> find(const WantedEmbeds& wanted, std::string* warning) const;
  /// Write an entry and remove those that were not used for longest until all of them hold at most max_bytes. A folder
  /// that cannot be written costs only the time of encoding again.
  void store(const std::string& key, PromptEmbeds embeds) const;

 private:
  std::string path_of(const std::string& key) const;
  void evict() const;

  std::uint64_t max_bytes_;
  std::string folder_;  // empty: not enabled
};

}  // namespace vidrt
