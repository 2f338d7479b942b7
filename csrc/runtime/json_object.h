// Strict reading of JSON objects from untrusted files: every value is asked for by name, type and range, and whatever
// was not asked for is an error. Messages name the file, the JSON path, what was got and what was expected.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace vidrt {

/// Where a JSON value stands, for messages.
struct JsonPlace {
  std::string file;  // as the user knows it
  std::string path;  // "modules.denoiser.variants[0]"; empty for the whole document
  std::string advice = "The bundle is damaged or was edited; fetch or export it again.";

  JsonPlace key(const std::string& name) const;
  JsonPlace index(std::size_t i) const;
  /// Throws BundleError: "<file>: <path>: got <got>, expected <expected>. <advice>"
  [[noreturn]] void fail(const std::string& got, const std::string& expected) const;
};

/// A value for a message, cut where it is long.
std::string describe(const nlohmann::json& value);

struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();
};

struct NumberRange {
  double min = 0.0;
  double max = std::numeric_limits<double>::max();
};

struct TextRule {
  std::size_t min_bytes = 1;
  std::size_t max_bytes = 256;
  bool printable = true;  // no control characters, which a terminal would obey
};

// Readers of single values.
std::int64_t read_integer(const nlohmann::json& value, const JsonPlace& place, IntegerRange range);
double read_number(const nlohmann::json& value, const JsonPlace& place, NumberRange range);
std::string read_text(const nlohmann::json& value, const JsonPlace& place, TextRule rule = {});
/// 64 lower-case hex digits.
std::string read_sha256(const nlohmann::json& value, const JsonPlace& place);
/// A relative path that may name a file of the bundle (runtime/paths.h).
std::string read_path(const nlohmann::json& value, const JsonPlace& place);
/// An array with at most `max_items` items; an object otherwise fails.
const nlohmann::json& read_array(const nlohmann::json& value, const JsonPlace& place, std::size_t min_items,
                                 std::size_t max_items);

class JsonObject {
 public:
  /// Throws BundleError when `value` is no object.
  JsonObject(const nlohmann::json& value, JsonPlace place);

  const JsonPlace& place() const { return place_; }
  const nlohmann::json& required(const std::string& key);
  /// Null when the key is absent.
  const nlohmann::json* optional(const std::string& key);

  JsonObject object(const std::string& key) { return {required(key), place_.key(key)}; }
  std::int64_t integer(const std::string& key, IntegerRange range);
  int small_integer(const std::string& key, int min, int max);
  double number(const std::string& key, NumberRange range);
  bool boolean(const std::string& key);
  std::string text(const std::string& key, TextRule rule = {});
  /// One of the words.
  std::string word(const std::string& key, const std::vector<std::string>& allowed);

  /// Throws BundleError for the first key that nobody asked for.
  void finish() const;

 private:
  const nlohmann::json& value_;
  JsonPlace place_;
  std::set<std::string> asked_;
};

/// Parse a whole document. Refuses invalid UTF-8, repeated keys (which of them counts depends on the reader), numbers
/// that a double cannot hold and nesting deeper than 32. Throws BundleError.
nlohmann::json parse_json(const std::string& text, const JsonPlace& document);

}  // namespace vidrt
