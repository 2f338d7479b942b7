#include "vidrt/events.h"

namespace vidrt {

const char* stage_name(Stage stage) {
  switch (stage) {
    case Stage::kLoad: return "load";
    case Stage::kEncode: return "encode";
    case Stage::kDenoise: return "denoise";
    case Stage::kDecode: return "decode";
    case Stage::kEncodeImage: return "encode_image";
  }
  return "unknown";
}

}  // namespace vidrt
