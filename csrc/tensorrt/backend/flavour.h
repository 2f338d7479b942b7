// Which of the two TensorRTs this library is compiled for: their interfaces are the same, their files and versions are
// not.
#pragma once

namespace vidrt::trt {

struct Flavour {
  const char* title;     // for people
  const char* library;   // the beginning of the file's name
  const char* variable;  // of the environment, that names the file
  const char* install;
  bool takes_plugins;
};

#ifdef VIDRT_TENSORRT_RTX
inline constexpr Flavour kFlavour{"TensorRT for RTX", "libtensorrt_rtx.so", "VIDRT_TENSORRT_RTX",
                                  "pip install \"vidrt[tensorrt-rtx]\", or the SDK of TensorRT for RTX", false};
#else
inline constexpr Flavour kFlavour{"TensorRT", "libnvinfer.so", "VIDRT_TENSORRT",
                                  "JetPack has it; else the TensorRT SDK, or pip install \"vidrt[tensorrt]\"", true};
#endif

}  // namespace vidrt::trt
