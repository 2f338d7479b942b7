#include "runtime/bpe_model.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <utility>

#include "runtime/json_object.h"
#include "runtime/utf8.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::size_t kMaxTokens = 1000000;
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();
constexpr const char* kAdvice = "Fetch or export the bundle again.";
constexpr const char* kWordEnd = "</w>";

[[noreturn]] void fail(const NamedContent& file, const std::string& what) {
  throw BundleError("'" + file.path + "' is no list of merges: " + what +
                    "; expected two tokens of the vocabulary a line, a space between them. " + kAdvice);
}

// A byte's letter: itself where Latin-1 has a visible character, the others in turn from U+0100 on.
std::string letter_of(unsigned byte) {
  const auto visible = [](unsigned b) { return (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD); };
  if (visible(byte)) return utf8_of(byte);
  std::uint32_t letter = 0x100;
  for (unsigned other = 0; other < byte; ++other) letter += visible(other) ? 0 : 1;
  return utf8_of(letter);
}

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return (static_cast<std::uint64_t>(left) << 32U) | static_cast<std::uint64_t>(right);
}

// The symbols of a word, linked so that a merge costs the same wherever it is.
struct Symbol {
  std::int64_t id;
  std::size_t previous, next;  // kNone at the ends
  bool merged = false;         // into the one before it
};

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

struct Candidate {
  std::int64_t rank;
  std::size_t left;
  std::int64_t left_id, right_id;  // as they were when it was found
};

// The lowest rank first, of equal ones the leftmost.
struct ComesLater {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return std::pair(a.rank, a.left) > std::pair(b.rank, b.left);
  }
};

}  // namespace

BpeModel::BpeModel(const NamedContent& vocabulary, const NamedContent& merges) {
  read_vocabulary(vocabulary);
  read_merges(merges);
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string letter = letter_of(byte);
    inside_[byte] = id_of(letter);
    at_end_[byte] = id_of(letter + kWordEnd);
  }
}

void BpeModel::read_vocabulary(const NamedContent& file) {
  const JsonPlace place{file.path, "", kAdvice};
  const nlohmann::json document = parse_json(file.bytes, place);
  if (!document.is_object() || document.empty() || document.size() > kMaxTokens) {
    place.fail(describe(document), "an object of 1 to " + std::to_string(kMaxTokens) + " tokens and their ids");
  }
  for (const auto& [token, value] : document.items()) {
    const JsonPlace entry = place.key(describe(token));
    if (token.empty() || token.size() > kMaxTokenBytes) {
      entry.fail("a token of " + std::to_string(token.size()) + " bytes",
                 "1 to " + std::to_string(kMaxTokenBytes) + " bytes");
    }
    const std::int64_t id = read_integer(value, entry, {0, kMaxId});
    if (!tokens_.emplace(id, token).second) entry.fail("an id that another token has", "each id once");
    ids_.emplace(token, id);
  }
}

void BpeModel::read_merges(const NamedContent& file) {
  if (first_invalid_utf8(file.bytes) != file.bytes.size()) fail(file, "it is not UTF-8");
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < file.bytes.size();) {
    const std::size_t end = std::min(file.bytes.find('\n', begin), file.bytes.size());
    std::string line = file.bytes.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    const std::string where = "line " + std::to_string(number);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.rfind("#version", 0) == 0) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
      fail(file, where + " has no two tokens");
    }
    if (merges_.size() == kMaxTokens) fail(file, "it has more than " + std::to_string(kMaxTokens) + " merges");
    const std::string left = line.substr(0, space);
    const std::string right = line.substr(space + 1);
    const auto known = [&](const std::string& token) {
      const std::int64_t id = id_of(token);
      if (id == kUnknown) fail(file, where + " needs " + describe(token) + ", which the vocabulary does not have");
      return id;
    };
    const Merge merge{static_cast<std::int64_t>(merges_.size()), known(left + right)};
    if (!merges_.emplace(pair_key(known(left), known(right)), merge).second) fail(file, where + " repeats a merge");
  }
}

std::int64_t BpeModel::id_of(const std::string& token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? kUnknown : found->second;
}

bool BpeModel::has_id(std::int64_t id) const { return tokens_.count(id) != 0; }

const BpeModel::Merge* BpeModel::merge_of(std::int64_t left, std::int64_t right) const {
  if (left == kUnknown || right == kUnknown) return nullptr;
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<std::int64_t> BpeModel::encode_word(std::string_view word) const {
  std::vector<Symbol> symbols(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    const bool last = i + 1 == word.size();
    symbols[i] = {last ? at_end_[byte] : inside_[byte], i == 0 ? kNone : i - 1, last ? kNone : i + 1};
  }
  std::priority_queue<Candidate, std::vector<Candidate>, ComesLater> candidates;
  const auto look_at = [&](std::size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const std::int64_t right_id = symbols[symbols[left].next].id;
    const Merge* merge = merge_of(symbols[left].id, right_id);
    if (merge != nullptr) candidates.push({merge->rank, left, symbols[left].id, right_id});
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) look_at(i);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.left];
    if (left.merged || left.id != best.left_id || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    if (right.id != best.right_id) continue;
    left.id = merge_of(best.left_id, best.right_id)->id;
    right.merged = true;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = best.left;
    look_at(left.previous);
    look_at(best.left);
  }
  std::vector<std::int64_t> ids;
  for (const Symbol& symbol : symbols) {
    if (!symbol.merged) ids.push_back(symbol.id);
  }
  return ids;
}

}  // namespace vidrt
