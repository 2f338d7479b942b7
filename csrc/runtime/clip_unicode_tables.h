// What CLIP's tokenizer knows of Unicode: tables by rising code point (tools/clip_unicode_tables.py says where from).
#pragma once

#include <cstdint>
#include <iterator>

namespace vidrt {

/// Rows that live as long as the program.
template <typename Row>
struct UnicodeTable {
  const Row* first;
  const Row* last;
  const Row* begin() const { return first; }
  const Row* end() const { return last; }
};

struct CodePointRange {
  std::uint32_t first, last;  // both included
};

struct LowerCase {
  std::uint32_t from, first, second;  // second is 0 but for U+0130, which becomes two
};

/// A character and what it is made of; its first part may be made of others again. Hangul syllables are left out.
struct Decomposition {
  std::uint32_t from, first, second;  // second is 0 where it only stands for another character
  bool composes;                      // the parts become the character in NFC
};

struct CombiningClass {
  std::uint32_t first, last;
  int number;  // above 0; what is in no row is 0
};

UnicodeTable<CodePointRange> clip_letters();
UnicodeTable<CodePointRange> clip_numbers();
UnicodeTable<LowerCase> clip_lower_case();
UnicodeTable<Decomposition> clip_decompositions();
UnicodeTable<CombiningClass> clip_combining_classes();

}  // namespace vidrt
