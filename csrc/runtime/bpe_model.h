// Byte-level byte-pair encoding with a mark at the end of words: Sennrich, Haddow and Birch, "Neural machine
// translation of rare words with subword units", 2016, over the byte alphabet of GPT-2.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vidrt {

/// A file's content, and its path for messages.
struct NamedContent {
  std::string path;
  std::string bytes;
};

/// Immutable after construction; encode_word() is thread-safe.
class BpeModel {
 public:
  static constexpr std::int64_t kUnknown = -1;

  /// `vocabulary` is a JSON object of ids by token, `merges` has two tokens a line, the most important first, and may
  /// begin with a line "#version...". Both are files from outside. Throws BundleError.
  BpeModel(const NamedContent& vocabulary, const NamedContent& merges);

  bool has_id(std::int64_t id) const;

  /// The ids of one word (any bytes, at least one); kUnknown for each byte that the vocabulary has no token for.
  std::vector<std::int64_t> encode_word(std::string_view word) const;

 private:
  struct Merge {
    std::int64_t rank;
    std::int64_t id;  // of what the two become
  };

  void read_vocabulary(const NamedContent& file);
  void read_merges(const NamedContent& file);
  std::int64_t id_of(const std::string& token) const;
  const Merge* merge_of(std::int64_t left, std::int64_t right) const;

  std::unordered_map<std::string, std::int64_t> ids_;
  std::unordered_map<std::int64_t, std::string> tokens_;
  std::unordered_map<std::uint64_t, Merge> merges_;    // by both ids
  std::array<std::int64_t, 256> inside_{}, at_end_{};  // of single bytes, in a word and as its last
};

}  // namespace vidrt
