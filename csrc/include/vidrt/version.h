// The version of the library that the program runs with.
#pragma once

#include "vidrt/api.h"

namespace vidrt {

// "major.minor.patch". The string lives as long as the library is loaded.
VIDRT_API const char* version();

}  // namespace vidrt
