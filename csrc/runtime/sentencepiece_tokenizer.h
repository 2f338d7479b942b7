// SentencePiece models, with added tokens as Hugging Face's fast tokenizers treat them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/added_tokens.h"
#include "runtime/tokenizer.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace vidrt {

/// Added tokens are split off the text as it is written; each piece between them is encoded by itself, with a word
/// boundary before it. Where the configuration says no byte_fallback, text that the model would spell in bytes is
/// unknown.
class SentencePieceTokenizer : public Tokenizer {
 public:
  /// `model` is a serialized SentencePiece model; `file` names it in messages. Throws BundleError.
  SentencePieceTokenizer(const TokenizerConfig& config, const std::string& model, const std::string& file);
  ~SentencePieceTokenizer() override;

  Tokens encode(const std::string& text) const override;

 private:
  struct Piece {
    int id;
    std::string surface;  // as the text has it
  };

  void encode_piece(std::string_view text, Tokens* tokens) const;
  std::vector<Piece> pieces_of(const std::string& text) const;

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  AddedTokens added_tokens_;
  // Spaces that the model's normalisation leaves as they are (U+0085 in most), although words end at them.
  std::vector<std::string> kept_spaces_;
  std::int64_t eos_id_;
  bool byte_fallback_;
};

}  // namespace vidrt
