// A small unigram SentencePiece model, encoded by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vidrt::testing {

struct ToyPiece {
  std::string text;
  float score = 0.0f;
  int type = 1;  // SentencePiece.Type: 1 normal, 2 unknown, 3 control, 6 byte
};

struct ToySentencePiece {
  std::vector<ToyPiece> pieces = {{"<pad>", 0.0f, 3},   {"</s>", 0.0f, 3},       {"<unk>", 0.0f, 2}, {"\u2581", -4.0f},
                                  {"\u2581red", -2.0f}, {"\u2581blue", -2.0f},   {"\u2581b", -5.0f}, {"lue", -5.0f},
                                  {"s", -3.0f},         {"\u2581\u7ea2", -2.0f}, {"\u7ea2", -3.0f}};
  std::string charsmap;  // empty = no normalisation
  bool byte_fallback = false;

  std::string model() const;
};

/// A normalisation table of one block of 256 units whose root leads nowhere: it changes no text.
std::vector<std::uint32_t> empty_trie();
/// The table made of a trie and replacement texts.
std::string charsmap(const std::vector<std::uint32_t>& trie, const std::string& texts);

}  // namespace vidrt::testing
