#include "runtime/limit_check.h"

#include <algorithm>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

// "64, 80" around an invalid value, "128" at an end of the range.
std::string nearest_valid(const Limit& limit, int value) {
  const int below = valid_at_most(limit, value);
  if (value <= limit.min || below > limit.max - limit.step) return std::to_string(below);
  return std::to_string(below) + ", " + std::to_string(below + limit.step);
}

}  // namespace

int valid_at_most(const Limit& limit, int value) {
  const int inside = std::clamp(value, limit.min, limit.max);
  return limit.min + (inside - limit.min) / limit.step * limit.step;
}

void check_limit(const std::string& name, const Limit& limit, int value) {
  if (value == valid_at_most(limit, value)) return;
  throw InvalidArgument(name + " must be " + std::to_string(limit.min) + " to " + std::to_string(limit.max) +
                        " in steps of " + std::to_string(limit.step) + ", got " + std::to_string(value) +
                        "; nearest valid: " + nearest_valid(limit, value) + ".");
}

}  // namespace vidrt
