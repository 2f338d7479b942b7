// Sizes against the limits that a manifest declares.
#pragma once

#include <string>

#include "vidrt/bundle.h"

namespace vidrt {

/// Throws InvalidArgument where `value` is none of the limit's; `name` is what the message calls it.
void check_limit(const std::string& name, const Limit& limit, int value);

/// The largest of the limit's values that is not over `value`, or the smallest of them.
int valid_at_most(const Limit& limit, int value);

}  // namespace vidrt
