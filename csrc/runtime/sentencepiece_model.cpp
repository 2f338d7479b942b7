#include "runtime/sentencepiece_model.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "runtime/protobuf_reader.h"

namespace vidrt {
namespace {

constexpr std::size_t kMaxPieces = 4000000;
constexpr std::size_t kMaxPieceBytes = 4096;

void check_piece(std::string_view message, const std::string& subject) {
  ProtobufReader piece(message, subject);
  std::string_view text;
  while (piece.next()) {
    if (piece.field() == 1) text = piece.bytes();
    if (piece.field() == 2 && !std::isfinite(piece.fixed32_float())) piece.fail("a piece's score is not finite");
  }
  if (text.empty() || text.size() > kMaxPieceBytes) {
    piece.fail("a piece has " + std::to_string(text.size()) + " bytes, expected 1 to " +
               std::to_string(kMaxPieceBytes));
  }
  if (text.find('\0') != std::string_view::npos) piece.fail("a piece holds a NUL");
}

std::uint32_t load_little_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8U * i);
  return value;
}

// The table: the trie's size in bytes, the trie (a double array of 32-bit units, in the layout of Darts-clone), then
// replacement texts, each ended by a NUL. A walk from unit i goes to (i ^ offset(i)) ^ byte for any byte, so that the
// whole block of 256 units around i ^ offset(i) must exist; a leaf's value is an offset into the texts.
void check_charsmap(std::string_view table, const ProtobufReader& spec) {
  if (table.empty()) return;  // no normalisation
  if (table.size() < 4) spec.fail("its normalisation table is cut short");
  const std::uint32_t trie_bytes = load_little_endian(table, 0);
  if (trie_bytes % 1024 != 0 || trie_bytes == 0 || trie_bytes >= table.size() - 4) {
    spec.fail("its normalisation table has a trie of " + std::to_string(trie_bytes) + " bytes");
  }
  const std::string_view trie = table.substr(4, trie_bytes);
  const std::string_view texts = table.substr(4 + trie_bytes);
  if (texts.back() != '\0') spec.fail("the texts of its normalisation table have no end");
  const std::size_t units = trie.size() / 4;
  for (std::size_t i = 0; i < units; ++i) {
    const std::uint32_t unit = load_little_endian(trie, i * 4);
    const bool is_value = (unit >> 31U) != 0;
    if (is_value && i == 0) spec.fail("the trie of its normalisation table has no root");
    if (is_value) {
      if ((unit & 0x7fffffffU) >= texts.size()) spec.fail("its normalisation table points behind its texts");
      continue;
    }
    const std::uint32_t offset = (unit >> 10U) << ((unit & (1U << 9U)) >> 6U);
    if (((i ^ offset) | 255U) >= units) spec.fail("the trie of its normalisation table leads out of itself");
  }
}

void check_normalizer(std::string_view message, const std::string& subject) {
  ProtobufReader spec(message, subject);
  while (spec.next()) {
    if (spec.field() == 2) check_charsmap(spec.bytes(), spec);
  }
}

}  // namespace

void check_sentencepiece_model(const std::string& model, const std::string& file) {
  const std::string subject = "'" + file + "' is no valid SentencePiece model";
  ProtobufReader reader(model, subject);
  std::size_t pieces = 0;
  while (reader.next()) {
    if (reader.field() == 1) {
      check_piece(reader.bytes(), subject);
      if (++pieces > kMaxPieces) reader.fail("it has more than " + std::to_string(kMaxPieces) + " pieces");
    }
    if (reader.field() == 3 || reader.field() == 5) check_normalizer(reader.bytes(), subject);
  }
  if (pieces == 0) reader.fail("it has no pieces");
}

}  // namespace vidrt
