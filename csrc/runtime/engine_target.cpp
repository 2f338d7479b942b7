#include "runtime/engine_target.h"

#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace vidrt {
namespace {

// "8.9" as (8, 9).
std::pair<int, int> capability_number(const std::string& text) {
  std::pair<int, int> number{0, 0};
  const char* end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, number.first);
  if (error == std::errc() && dot != end) std::from_chars(dot + 1, end, number.second);
  return number;
}

// "10.15.1.29" as its numbers.
std::vector<int> version_numbers(const std::string& text) {
  std::vector<int> numbers;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++at) {
    int number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc()) break;
    numbers.push_back(number);
    at = stop;
    if (at == end || *at != '.') break;
  }
  return numbers;
}

}  // namespace

bool same_version(const std::string& a, const std::string& b) {
  constexpr std::size_t kLeast = 3;
  const std::vector<int> a_numbers = version_numbers(a);
  const std::vector<int> b_numbers = version_numbers(b);
  const std::size_t said = std::min(a_numbers.size(), b_numbers.size());
  if (said < kLeast) return a == b;
  return std::equal(a_numbers.begin(), a_numbers.begin() + static_cast<std::ptrdiff_t>(said), b_numbers.begin());
}

bool runs_on(const std::vector<std::string>& targets, const std::string& compute_capability) {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
    if (target.empty() || target.back() != '+') return target == compute_capability;
    return capability_number(compute_capability) >= capability_number(target);
  });
}

std::string processor() {
  utsname system{};
  return uname(&system) == 0 ? system.machine : "";
}

}  // namespace vidrt
