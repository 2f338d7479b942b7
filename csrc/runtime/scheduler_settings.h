// Settings of a scheduler config one by one, so that none is passed over unseen.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace vidrt {

inline constexpr int kMaxTrainTimesteps = 1'000'000;

/// Remembers what it was asked for. Every reader but ignore() throws InvalidArgument that names the setting where it is
/// not what is expected.
class SettingReader {
 public:
  SettingReader(const nlohmann::json& config, const char* class_name) : config_(config), class_name_(class_name) {}

  int integer(const char* key, int fallback, int low, int high);
  /// Above 0, at most `high`.
  double positive(const char* key, double fallback, double high);
  /// The same, 0 where it is left out or null.
  double positive_or_none(const char* key, double high);
  bool boolean(const char* key, bool fallback);
  std::string choice(const char* key, const char* fallback, std::initializer_list<const char*> allowed);
  std::vector<int> step_numbers(const char* key);
  /// Numbers above 0 and at most `high`, each below the one before it, as float32 values; none where it is left out or
  /// null.
  std::vector<double> falling_numbers(const char* key, double high);
  /// What would change the result and exists only in the form that leaves it alone: false, 0 or null.
  void must_be_off(std::initializer_list<const char*> keys);
  void must_be(bool expected, const char* key, bool fallback);
  /// Settings without influence on the result.
  void ignore(std::initializer_list<const char*> keys);
  /// Throws InvalidArgument for a setting that nobody asked for; those that begin with '_' are passed over.
  void finish() const;
  /// Throws InvalidArgument: the setting has a value that is not supported.
  [[noreturn]] void refuse(const char* key, const nlohmann::json& value, const std::string& expected) const;

 private:
  const nlohmann::json* take(const char* key);

  const nlohmann::json& config_;
  const std::string class_name_;
  std::set<std::string> taken_;
};

}  // namespace vidrt
