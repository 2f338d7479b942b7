#include "support/sentencepiece_writer.h"

#include "support/onnx_writer.h"

namespace vidrt::testing {

std::string ToySentencePiece::model() const {
  ProtoWriter model;
  for (const ToyPiece& piece : pieces) {
    model.message(
        1,
        ProtoWriter().bytes(1, piece.text).fixed32(2, piece.score).varint(3, static_cast<std::uint64_t>(piece.type)));
  }
  const auto minus_one = static_cast<std::uint64_t>(-1);
  ProtoWriter trainer;
  trainer.varint(3, 1).varint(35, byte_fallback ? 1 : 0);
  model.message(2, trainer.varint(40, 2).varint(41, minus_one).varint(42, 1).varint(43, 0));
  ProtoWriter normalizer;
  normalizer.bytes(1, "toy");
  if (!charsmap.empty()) normalizer.bytes(2, charsmap);
  model.message(3, normalizer.varint(3, 1).varint(4, 1).varint(5, 1));
  return model.data();
}

std::vector<std::uint32_t> empty_trie() {
  std::vector<std::uint32_t> units(256, 0);
  // Offset 1, and no unit whose label is the byte that would lead to it.
  units[0] = 1U << 10U;
  return units;
}

std::string charsmap(const std::vector<std::uint32_t>& trie, const std::string& texts) {
  std::string table;
  const auto append = [&](std::uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) table += static_cast<char>(value >> (8U * i));
  };
  append(static_cast<std::uint32_t>(trie.size() * 4));
  for (const std::uint32_t unit : trie) append(unit);
  return table + texts;
}

}  // namespace vidrt::testing
