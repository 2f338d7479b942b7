#include "runtime/json_object.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/paths.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxDescribed = 60;

std::string range_text(const std::string& what, const std::string& min, const std::string& max) {
  return what + " from " + min + " to " + max;
}

std::string number_text(double value) { return json(value).dump(); }

}  // namespace

JsonPlace JsonPlace::key(const std::string& name) const {
  return {file, path.empty() ? name : path + "." + name, advice};
}

JsonPlace JsonPlace::index(std::size_t i) const { return {file, path + "[" + std::to_string(i) + "]", advice}; }

void JsonPlace::fail(const std::string& got, const std::string& expected) const {
  throw BundleError(file + ": " + (path.empty() ? "the document" : path) + ": got " + got + ", expected " + expected +
                    ". " + advice);
}

std::string describe(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  // `replace`: a cut in the middle of a character must not throw.
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kMaxDescribed) text = text.substr(0, kMaxDescribed) + "...";
  return text;
}

std::int64_t read_integer(const json& value, const JsonPlace& place, IntegerRange range) {
  const std::string expected = range_text("an integer", std::to_string(range.min), std::to_string(range.max));
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() ||
       value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits) place.fail(describe(value), expected);
  const auto number = value.get<std::int64_t>();
  if (number < range.min || number > range.max) place.fail(describe(value), expected);
  return number;
}

double read_number(const json& value, const JsonPlace& place, NumberRange range) {
  const std::string expected = range_text("a finite number", number_text(range.min), number_text(range.max));
  if (!value.is_number()) place.fail(describe(value), expected);
  const auto number = value.get<double>();
  if (!std::isfinite(number) || number < range.min || number > range.max) place.fail(describe(value), expected);
  return number;
}

std::string read_text(const json& value, const JsonPlace& place, TextRule rule) {
  if (!value.is_string()) place.fail(describe(value), "a string");
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() < rule.min_bytes || text.size() > rule.max_bytes) {
    place.fail("a string of " + std::to_string(text.size()) + " bytes",
               std::to_string(rule.min_bytes) + " to " + std::to_string(rule.max_bytes) + " bytes");
  }
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  if (rule.printable && control) place.fail(describe(value), "text without control characters");
  return text;
}

std::string read_sha256(const json& value, const JsonPlace& place) {
  const bool valid = value.is_string() && value.get_ref<const std::string&>().size() == 64 &&
                     value.get_ref<const std::string&>().find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!valid) place.fail(describe(value), "a SHA-256 of 64 lower-case hex digits");
  return value.get<std::string>();
}

std::string read_path(const json& value, const JsonPlace& place) {
  const std::string path = read_text(value, place, {0, std::numeric_limits<std::size_t>::max(), false});
  const std::string fault = relative_path_fault(path);
  if (!fault.empty()) {
    place.fail("the path " + describe(value) + ", which " + fault, "a relative path that stays inside the bundle");
  }
  return path;
}

const json& read_array(const json& value, const JsonPlace& place, std::size_t min_items, std::size_t max_items) {
  if (!value.is_array() || value.size() < min_items || value.size() > max_items) {
    place.fail(describe(value), "an array of " + std::to_string(min_items) + " to " + std::to_string(max_items));
  }
  return value;
}

JsonObject::JsonObject(const json& value, JsonPlace place) : value_(value), place_(std::move(place)) {
  if (!value.is_object()) place_.fail(describe(value), "an object");
}

const json& JsonObject::required(const std::string& key) {
  const json* found = optional(key);
  if (found == nullptr) place_.key(key).fail("nothing", "this key");
  return *found;
}

const json* JsonObject::optional(const std::string& key) {
  asked_.insert(key);
  const auto found = value_.find(key);
  return found == value_.end() ? nullptr : &*found;
}

std::int64_t JsonObject::integer(const std::string& key, IntegerRange range) {
  return read_integer(required(key), place_.key(key), range);
}

int JsonObject::small_integer(const std::string& key, int min, int max) {
  return static_cast<int>(integer(key, {min, max}));
}

double JsonObject::number(const std::string& key, NumberRange range) {
  return read_number(required(key), place_.key(key), range);
}

bool JsonObject::boolean(const std::string& key) {
  const json& value = required(key);
  if (!value.is_boolean()) place_.key(key).fail(describe(value), "true or false");
  return value.get<bool>();
}

std::string JsonObject::text(const std::string& key, TextRule rule) {
  return read_text(required(key), place_.key(key), rule);
}

std::string JsonObject::word(const std::string& key, const std::vector<std::string>& allowed) {
  const json& value = required(key);
  std::string list;
  for (const std::string& entry : allowed) {
    if (value == entry) return entry;
    list += (list.empty() ? "" : ", ") + entry;
  }
  place_.key(key).fail(describe(value), "one of: " + list);
}

void JsonObject::finish() const {
  for (const auto& item : value_.items()) {
    if (asked_.count(item.key()) == 0) {
      throw BundleError(place_.file + ": " + place_.key(describe(item.key())).path +
                        ": got a key that this version does not know, expected only those of docs/bundle.md. Did a "
                        "newer vidrt write this? Update vidrt, or export the bundle again.");
    }
  }
}

json parse_json(const std::string& text, const JsonPlace& document) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open, the innermost last
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) document.fail("deeper nesting", "at most " + std::to_string(kMaxDepth) + " levels");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      document.fail("the key " + describe(parsed) + " twice in one object", "each key once");
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::exception& error) {
    document.fail(std::string("an error: ") + error.what(), "valid JSON in UTF-8");
  }
}

}  // namespace vidrt
