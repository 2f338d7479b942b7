// The tokenizer of CLIP's text models, as Hugging Face's CLIPTokenizer is.
#pragma once

#include "runtime/added_tokens.h"
#include "runtime/bpe_model.h"
#include "runtime/tokenizer.h"

namespace vidrt {

/// Added tokens are split off the text as it is written; each piece between them is normalised, the normalised added
/// tokens are split off that, and the words of what is left are encoded one by one.
class ClipTokenizer : public Tokenizer {
 public:
  /// Throws BundleError.
  ClipTokenizer(const TokenizerConfig& config, const NamedContent& vocabulary, const NamedContent& merges);

  /// A byte without a token becomes unk_id and its word is reported; a bundle without unk_id cannot take it:
  /// InvalidArgument.
  Tokens encode(const std::string& text) const override;

 private:
  void check_ids(const TokenizerConfig& config, const NamedContent& vocabulary) const;
  void encode_normalised(std::string_view text, Tokens* tokens) const;

  BpeModel model_;
  AddedTokens added_tokens_, normalised_added_tokens_;
  std::int64_t bos_id_, eos_id_;
  std::optional<std::int64_t> unk_id_;
};

}  // namespace vidrt
