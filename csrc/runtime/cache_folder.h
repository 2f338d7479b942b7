// Where vidrt keeps what it can make again.
#pragma once

#include <string>

namespace vidrt {

/// $VIDRT_CACHE_DIR, else vidrt's folder in $XDG_CACHE_HOME or ~/.cache, as engine/cache_folder.py has it; "" when the
/// user has no home. Need not exist.
std::string cache_folder();

}  // namespace vidrt
