#include "runtime/scheduler_settings.h"

#include "vidrt/errors.h"

namespace vidrt {

using nlohmann::json;

int SettingReader::integer(const char* key, int fallback, int low, int high) {
  const json* value = take(key);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer() || *value < low || *value > high) {
    refuse(key, *value, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return value->get<int>();
}

double SettingReader::positive(const char* key, double fallback, double high) {
  const json* value = take(key);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !(value->get<double>() > 0.0) || value->get<double>() > high) {
    refuse(key, *value, "a number above 0, at most " + json(high).dump());
  }
  return value->get<double>();
}

double SettingReader::positive_or_none(const char* key, double high) {
  const json* value = take(key);
  return value == nullptr || value->is_null() ? 0.0 : positive(key, 0.0, high);
}

bool SettingReader::boolean(const char* key, bool fallback) {
  const json* value = take(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse(key, *value, "true or false");
  return value->get<bool>();
}

std::string SettingReader::choice(const char* key, const char* fallback, std::initializer_list<const char*> allowed) {
  const json* value = take(key);
  const std::string word = value == nullptr ? fallback : (value->is_string() ? value->get<std::string>() : "");
  std::string known;
  for (const char* candidate : allowed) {
    if (word == candidate) return word;
    known += std::string(known.empty() ? "\"" : " or \"") + candidate + "\"";
  }
  refuse(key, value == nullptr ? json(fallback) : *value, known);
}

std::vector<int> SettingReader::step_numbers(const char* key) {
  const json* value = take(key);
  std::vector<int> numbers;
  if (value == nullptr) return numbers;
  if (!value->is_array()) refuse(key, *value, "a list of step numbers");
  for (const json& entry : *value) {
    if (!entry.is_number_integer() || entry < 0 || entry > kMaxTrainTimesteps) {
      refuse(key, *value, "a list of step numbers");
    }
    numbers.push_back(entry.get<int>());
  }
  return numbers;
}

std::vector<double> SettingReader::falling_numbers(const char* key, double high) {
  const json* value = take(key);
  std::vector<double> numbers;
  if (value == nullptr || value->is_null()) return numbers;
  const std::string expected = "a list of falling numbers above 0 and at most " + json(high).dump();
  if (!value->is_array() || value->empty()) refuse(key, *value, expected);
  for (const json& entry : *value) {
    if (!entry.is_number() || entry <= 0 || entry > high) refuse(key, *value, expected);
    const auto number = static_cast<double>(entry.get<float>());
    if (!(number > 0.0) || (!numbers.empty() && number >= numbers.back())) refuse(key, *value, expected);
    numbers.push_back(number);
  }
  return numbers;
}

void SettingReader::must_be_off(std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const json* value = take(key);
    if (value != nullptr && !value->is_null() && *value != false && *value != 0) refuse(key, *value, "false or null");
  }
}

void SettingReader::must_be(bool expected, const char* key, bool fallback) {
  if (boolean(key, fallback) != expected) refuse(key, !expected, expected ? "true" : "false");
}

void SettingReader::ignore(std::initializer_list<const char*> keys) {
  for (const char* key : keys) take(key);
}

void SettingReader::finish() const {
  for (const auto& [key, value] : config_.items()) {
    if (key.rfind('_', 0) == 0 || taken_.count(key) != 0) continue;
    throw InvalidArgument("scheduler setting '" + key + "' of " + class_name_ +
                          " is not known to this version of vidrt; take it out of the bundle's scheduler config if it "
                          "does not matter, or update vidrt.");
  }
}

void SettingReader::refuse(const char* key, const json& value, const std::string& expected) const {
  throw InvalidArgument("scheduler setting '" + std::string(key) + "' of " + class_name_ + " is " + value.dump() +
                        "; this version of vidrt supports " + expected +
                        ". Export the bundle with a scheduler of that setting, or choose another scheduler.");
}

const json* SettingReader::take(const char* key) {
  taken_.insert(key);
  const auto found = config_.find(key);
  return found == config_.end() ? nullptr : &*found;
}

}  // namespace vidrt
