// The TensorRT backend of one flavour as the core opens it, on a machine that may have TensorRT's library and no GPU:
// what it exports, which libraries it takes for TensorRT, and its errors, which cross the border of the library.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tensorrt_library.h"
#include "support/secluded_device.h"
#include "support/throws.h"
#include "vidrt/errors.h"
#include "vidrt/version.h"

namespace vidrt::testing {
namespace {

namespace fs = std::filesystem;

#ifdef VIDRT_TENSORRT_RTX
constexpr const char* kBackend = "tensorrt-rtx";
constexpr const char* kVersion = "vidrt_tensorrt_rtx_version";
constexpr const char* kTitle = "TensorRT for RTX";
constexpr const char* kLibrary = "libtensorrt_rtx.so";
constexpr const char* kInstall = "vidrt[tensorrt-rtx]";
constexpr const char* kFetch = "set VIDRT_TENSORRT_RTX_LIBS to the wheel's folder tensorrt_rtx_libs";
#else
constexpr const char* kBackend = "tensorrt";
constexpr const char* kVersion = "vidrt_tensorrt_version";
constexpr const char* kTitle = "TensorRT";
constexpr const char* kLibrary = "libnvinfer.so";
constexpr const char* kInstall = "vidrt[tensorrt]";
constexpr const char* kFetch = "`make tensorrt-libs` fetches it";
#endif

class TrtBackendLibrary : public ::testing::Test {
 protected:
  TrtBackendLibrary() : handle_(dlopen(VIDRT_TRT_BACKEND_LIBRARY, RTLD_NOW | RTLD_LOCAL)) {}

  void SetUp() override { ASSERT_NE(handle_, nullptr) << dlerror(); }

  template <typename Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle_, name));
  }

  std::string refusal(const std::vector<std::string>& folders) const {
    return message_of<BackendError>([&] { function<TrtCheckLibrary>(kTrtCheckLibrary)(folders); });
  }

  // Make a backend, say how that went and end the process, in which a library that was found stays.
  void start(const std::string& folder) const {
    try {
      const TrtBackendRequest request{kBackend, std::make_shared<SecludedDevice>(), {folder}, ""};
      const std::unique_ptr<Backend> backend(function<TrtMakeBackend>(kTrtMakeBackend)(request));
      std::fprintf(stderr, "started %s\n", backend->description().c_str());
    } catch (const BackendError& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    std::exit(0);
  }

  // The folder with the library of that flavour.
  static std::string real_folder() {
#ifdef VIDRT_TENSORRT_RTX
    const char* given = std::getenv("VIDRT_TENSORRT_RTX_LIBS");
    return given != nullptr ? given : "";
#else
    const char* given = std::getenv("VIDRT_TENSORRT_LIBS");
    const char* home = std::getenv("HOME");
    const fs::path cache =
        given != nullptr ? fs::path(given) : fs::path(home != nullptr ? home : "") / ".cache/vidrt/tensorrt";
    return (cache / "lib").string();
#endif
  }

 private:
  void* handle_;  // never closed, as in the core
};

TEST_F(TrtBackendLibrary, BelongsToThisVersion) { EXPECT_STREQ(function<const char*()>(kVersion)(), version()); }

TEST_F(TrtBackendLibrary, WhatIsNoTensorRtOrAnotherVersionIsRefusedWithTheReason) {
  const std::string nowhere = std::string("/nowhere: no ") + kLibrary + "*";
  EXPECT_TRUE(names(refusal({"/nowhere"}), {"was not found; install it", kInstall, nowhere.c_str()}));
  const std::string not_it = std::string("is not ") + kTitle + " (no getInferLibVersion";
  EXPECT_TRUE(names(refusal({VIDRT_FAKE_NVINFER "/none"}), {not_it.c_str()}));
  EXPECT_TRUE(names(refusal({VIDRT_FAKE_NVINFER "/old"}), {"is version 0.0.1", "this build needs "}));
  EXPECT_TRUE(names(refusal({VIDRT_FAKE_NVINFER "/later"}), {"is version 99.2.3.26"}));
}

TEST_F(TrtBackendLibrary, ATensorRtThatRefusesToStartIsAnErrorWithWhatItLogged) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(start(VIDRT_FAKE_NVINFER "/refuses"), ::testing::ExitedWithCode(0),
              std::string(kTitle) + " [0-9]+\\.99\\.0 .*does not start on cuda:0: the fake says no");
}

TEST_F(TrtBackendLibrary, TheRealLibraryIsTakenAndSaysWhatItLacksWithoutAGpu) {
  if (!fs::exists(real_folder())) {
    GTEST_SKIP() << kTitle << " is not in " << real_folder() << "; " << kFetch;
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // TensorRT for RTX starts without a GPU.
  EXPECT_EXIT(start(real_folder()), ::testing::ExitedWithCode(0),
              std::string("started ") + kBackend +
                  " 10?\\.|TensorRT 10.*does not start on cuda:0: .*CUDA initialization failure");
}

}  // namespace
}  // namespace vidrt::testing
