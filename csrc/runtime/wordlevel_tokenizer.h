// Whole words to ids.
#pragma once

#include <string>
#include <unordered_map>

#include "runtime/tokenizer.h"

namespace vidrt {

/// Text is lower-cased in ASCII; words are maximal runs of a-z, 0-9, ' and bytes from 0x80 on; all else separates.
class WordlevelTokenizer : public Tokenizer {
 public:
  /// `vocabulary` is the vocabulary file: one token a line, the line's number from 0 is its id. `file` names it in
  /// messages. Throws BundleError.
  WordlevelTokenizer(const TokenizerConfig& config, const std::string& vocabulary, const std::string& file);

  /// A word that is not in the vocabulary becomes unk_id and is reported; a bundle without unk_id cannot take it:
  /// InvalidArgument.
  Tokens encode(const std::string& text) const override;

 private:
  std::unordered_map<std::string, std::int64_t> ids_;
  std::int64_t eos_id_;
  std::optional<std::int64_t> unk_id_;
};

}  // namespace vidrt
