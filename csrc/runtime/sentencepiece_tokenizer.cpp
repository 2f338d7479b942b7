#include "runtime/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "runtime/sentencepiece_model.h"
#include "runtime/utf8.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw BundleError("'" + file + "' is no usable SentencePiece model: " + what + ". Fetch or export the bundle again.");
}

void check_ids(const TokenizerConfig& config, std::int64_t pieces, std::int64_t unk_id, const std::string& file) {
  if (config.unk_id.has_value() && *config.unk_id != unk_id) {
    fail(file, "its token for unknown text is " + std::to_string(unk_id) + ", but manifest.json has unk_id " +
                   std::to_string(*config.unk_id));
  }
  for (const std::int64_t id : {config.pad_id, config.eos_id}) {
    const bool added = std::any_of(config.added_tokens.begin(), config.added_tokens.end(),
                                   [&](const auto& token) { return token.second == id; });
    if (id >= pieces && !added) {
      fail(file, "it has " + std::to_string(pieces) + " tokens, but manifest.json uses the id " + std::to_string(id));
    }
  }
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const TokenizerConfig& config, const std::string& model,
                                               const std::string& file)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()),
      added_tokens_(config.added_tokens),
      eos_id_(config.eos_id),
      byte_fallback_(config.byte_fallback) {
  check_sentencepiece_model(model, file);
  const auto status = processor_->LoadFromSerializedProto(model);
  if (!status.ok()) fail(file, status.ToString());
  check_ids(config, processor_->GetPieceSize(), processor_->unk_id(), file);
  for (const std::string& space : unicode_spaces()) {
    if (processor_->Normalize("a" + space + "b").find(space) != std::string::npos) kept_spaces_.push_back(space);
  }
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

Tokens SentencePieceTokenizer::encode(const std::string& text) const {
  require_utf8(text);
  Tokens tokens;
  added_tokens_.split(
      text, [&](std::string_view piece) { encode_piece(piece, &tokens); },
      [&](std::int64_t id) { tokens.ids.push_back(id); });
  tokens.ids.push_back(eos_id_);
  return tokens;
}

void SentencePieceTokenizer::encode_piece(std::string_view text, Tokens* tokens) const {
  for (const Piece& piece : pieces_of(replaced_by_space(text, kept_spaces_))) {
    tokens->ids.push_back(piece.id);
    if (piece.id != processor_->unk_id()) continue;
    std::vector<std::string>& unknown = tokens->unknown_words;
    if (std::find(unknown.begin(), unknown.end(), piece.surface) == unknown.end()) unknown.push_back(piece.surface);
  }
}

std::vector<SentencePieceTokenizer::Piece> SentencePieceTokenizer::pieces_of(const std::string& text) const {
  std::vector<Piece> pieces;
  const auto encoded = processor_->EncodeAsImmutableProto(text);
  bool after_bytes = false;
  for (const auto& piece : encoded.pieces()) {
    const int id = static_cast<int>(piece.id());
    const bool bytes = !byte_fallback_ && processor_->IsByte(id);
    // A run of bytes is a run of unknown characters, which is one token where nothing is spelled in bytes.
    if (bytes && after_bytes) {
      pieces.back().surface += piece.surface();
    } else {
      pieces.push_back({bytes ? processor_->unk_id() : id, piece.surface()});
    }
    after_bytes = bytes;
  }
  return pieces;
}

}  // namespace vidrt
