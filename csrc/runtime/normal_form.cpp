#include "runtime/normal_form.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "runtime/clip_unicode_tables.h"

namespace vidrt {
namespace {

// Hangul syllables are computed: The Unicode Standard, section 3.12.
constexpr std::uint32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11A7;
constexpr std::uint32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;
constexpr std::uint32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

bool in(std::uint32_t character, std::uint32_t first, std::uint32_t count) {
  return character >= first && character - first < count;
}

int combining_class(std::uint32_t character) {
  const auto classes = clip_combining_classes();
  const auto* row = std::lower_bound(classes.begin(), classes.end(), character,
                                     [](const CombiningClass& entry, std::uint32_t c) { return entry.last < c; });
  return row != classes.end() && row->first <= character ? row->number : 0;
}

const Decomposition* decomposition(std::uint32_t character) {
  const auto rows = clip_decompositions();
  const auto* row = std::lower_bound(rows.begin(), rows.end(), character,
                                     [](const Decomposition& entry, std::uint32_t c) { return entry.from < c; });
  return row != rows.end() && row->from == character ? row : nullptr;
}

void decompose(std::uint32_t character, CodePoints* out) {
  if (in(character, kSyllables, kSyllableCount)) {
    const std::uint32_t syllable = character - kSyllables;
    out->push_back(kLeads + syllable / (kVowelCount * kTailCount));
    out->push_back(kVowels + syllable / kTailCount % kVowelCount);
    if (syllable % kTailCount != 0) out->push_back(kTails + syllable % kTailCount);
    return;
  }
  const Decomposition* parts = decomposition(character);
  if (parts == nullptr) {
    out->push_back(character);
    return;
  }
  decompose(parts->first, out);
  if (parts->second != 0) out->push_back(parts->second);
}

// Marks in the order of their classes, those of one class as they stood.
void put_in_order(CodePoints* text) {
  const auto is_mark = [](std::uint32_t character) { return combining_class(character) != 0; };
  for (auto begin = text->begin(); begin != text->end();) {
    begin = std::find_if(begin, text->end(), is_mark);
    const auto end = std::find_if_not(begin, text->end(), is_mark);
    std::stable_sort(begin, end,
                     [](std::uint32_t a, std::uint32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

using Compositions = std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>;

Compositions read_compositions() {
  Compositions compositions;
  for (const Decomposition& row : clip_decompositions()) {
    if (row.composes) compositions.insert({{row.first, row.second}, row.from});
  }
  return compositions;
}

// What two characters become, 0 where they stay two.
std::uint32_t composition(std::uint32_t first, std::uint32_t second) {
  if (in(first, kLeads, kLeadCount) && in(second, kVowels, kVowelCount)) {
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTailCount;
  }
  const bool open = in(first, kSyllables, kSyllableCount) && (first - kSyllables) % kTailCount == 0;
  if (open && in(second, kTails + 1, kTailCount - 1)) return first + (second - kTails);
  static const Compositions compositions = read_compositions();
  const auto found = compositions.find({first, second});
  return found == compositions.end() ? 0 : found->second;
}

}  // namespace

CodePoints normal_form_c(const CodePoints& text) {
  CodePoints parts;
  parts.reserve(text.size());
  for (const std::uint32_t character : text) decompose(character, &parts);
  put_in_order(&parts);

  CodePoints composed;
  composed.reserve(parts.size());
  std::size_t starter = parts.size();  // where in `composed` the last one stands; none yet
  int last_class = 0;                  // of what stands behind the starter
  for (const std::uint32_t character : parts) {
    const int own_class = combining_class(character);
    const bool has_starter = starter < composed.size();
    const bool adjacent = has_starter && starter + 1 == composed.size();
    if (has_starter && (adjacent || last_class < own_class)) {
      if (const std::uint32_t whole = composition(composed[starter], character); whole != 0) {
        composed[starter] = whole;
        continue;
      }
    }
    if (own_class == 0) starter = composed.size();
    last_class = own_class;
    composed.push_back(character);
  }
  return composed;
}

}  // namespace vidrt
