#include "runtime/clip_words.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "runtime/clip_unicode_tables.h"
#include "runtime/normal_form.h"
#include "runtime/utf8.h"

namespace vidrt {
namespace {

constexpr std::array<std::string_view, 2> kMarkers = {"<|startoftext|>", "<|endoftext|>"};
constexpr std::array<std::string_view, 7> kEndings = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};

enum class Kind { kSpace, kLetter, kNumber, kOther };

bool holds(UnicodeTable<CodePointRange> table, std::uint32_t character) {
  const auto* row = std::lower_bound(table.begin(), table.end(), character,
                                     [](const CodePointRange& range, std::uint32_t c) { return range.last < c; });
  return row != table.end() && row->first <= character;
}

bool is_space(std::uint32_t character) {
  static const CodePoints spaces = [] {
    CodePoints found = {' '};
    for (const std::string& space : unicode_spaces()) found.push_back(code_point_at(space));
    return found;
  }();
  return std::find(spaces.begin(), spaces.end(), character) != spaces.end();
}

Kind kind_of(std::uint32_t character) {
  if (is_space(character)) return Kind::kSpace;
  if (holds(clip_letters(), character)) return Kind::kLetter;
  return holds(clip_numbers(), character) ? Kind::kNumber : Kind::kOther;
}

void append_lower(std::uint32_t character, std::string* out) {
  const auto table = clip_lower_case();
  const auto* row = std::lower_bound(table.begin(), table.end(), character,
                                     [](const LowerCase& entry, std::uint32_t c) { return entry.from < c; });
  if (row == table.end() || row->from != character) {
    *out += utf8_of(character);
    return;
  }
  *out += utf8_of(row->first);
  if (row->second != 0) *out += utf8_of(row->second);
}

bool begins_with(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

// Bytes of the characters of one kind at the beginning.
std::size_t run_size(std::string_view text, Kind kind) {
  std::size_t size = 0;
  while (size < text.size() && kind_of(code_point_at(text.substr(size))) == kind) {
    size += utf8_sequence_size(text.substr(size));
  }
  return size;
}

// Bytes of the piece at the beginning, which is not white space.
std::size_t piece_size(std::string_view text) {
  for (const std::string_view ending : kEndings) {
    if (begins_with(text, ending)) return ending.size();
  }
  const Kind kind = kind_of(code_point_at(text));
  return kind == Kind::kNumber ? utf8_sequence_size(text) : run_size(text, kind);
}

}  // namespace

std::string clip_normalised(std::string_view text) {
  CodePoints characters;
  for (std::size_t at = 0; at < text.size(); at += utf8_sequence_size(text.substr(at))) {
    characters.push_back(code_point_at(text.substr(at)));
  }
  std::string normalised;
  normalised.reserve(text.size());
  bool after_space = false;
  for (const std::uint32_t character : normal_form_c(characters)) {
    const bool space = is_space(character);
    if (!space) append_lower(character, &normalised);
    if (space && !after_space) normalised += ' ';
    after_space = space;
  }
  return normalised;
}

std::vector<std::string_view> clip_words(std::string_view text) {
  std::vector<std::string_view> words;
  const auto take = [&](std::size_t size) {
    words.push_back(text.substr(0, size));
    text.remove_prefix(size);
  };
  while (!text.empty()) {
    text.remove_prefix(run_size(text, Kind::kSpace));
    if (text.empty()) break;
    // A marker that is no added token here: a piece by itself, which is then split once more, as other text is.
    const auto* marker = std::find_if(kMarkers.begin(), kMarkers.end(),
                                      [&](std::string_view candidate) { return begins_with(text, candidate); });
    if (marker == kMarkers.end()) {
      take(piece_size(text));
      continue;
    }
    take(2);
    take(marker->size() - 4);
    take(2);
  }
  return words;
}

}  // namespace vidrt
