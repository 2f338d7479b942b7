// The ONNX Runtime API that vidrt asks for at run time, whatever headers it was built with.
#pragma once

#include <cstdint>

namespace vidrt {

constexpr std::uint32_t kOrtApiVersion = 21;

}  // namespace vidrt
