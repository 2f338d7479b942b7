#include "vidrt/version.h"

namespace vidrt {

const char* version() { return VIDRT_VERSION; }

}  // namespace vidrt
