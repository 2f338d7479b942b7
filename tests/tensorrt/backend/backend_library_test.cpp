// The TensorRT backend as the core opens it, on a machine that may have TensorRT's library and no GPU: what it exports,
// which libraries it takes for TensorRT, and its errors, which cross the border of the library.
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
      const TrtBackendRequest request{"tensorrt", std::make_shared<SecludedDevice>(), {folder}, ""};
      const std::unique_ptr<Backend> backend(function<TrtMakeBackend>(kTrtMakeBackend)(request));
      std::fprintf(stderr, "started %s\n", backend->description().c_str());
    } catch (const BackendError& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    std::exit(0);
  }

  // The folder with TensorRT's library.
  static std::string real_folder() {
    const char* given = std::getenv("VIDRT_TENSORRT_LIBS");
    const char* home = std::getenv("HOME");
    const fs::path cache = given != nullptr ? fs::path(given) : fs::path(home != nullptr ? home : "") / ".cache/vidrt/tensorrt";
    return (cache / "lib").string();
  }

 private:
  void* handle_;  // never closed, as in the core
};

TEST_F(TrtBackendLibrary, BelongsToThisVersion) {
  EXPECT_STREQ(function<const char*()>("vidrt_tensorrt_version")(), version());
}

TEST_F(TrtBackendLibrary, WhatIsNoTensorRtOrAnotherVersionIsRefusedWithTheReason) {
  EXPECT_TRUE(names(refusal({"/nowhere"}), {"was not found; install it", "vidrt[tensorrt]", "/nowhere: no libnvinfer.so*"}));
  EXPECT_TRUE(names(refusal({VIDRT_FAKE_NVINFER "/none"}), {"is not TensorRT (no getInferLibVersion"}));
  EXPECT_TRUE(names(refusal({VIDRT_FAKE_NVINFER "/old"}), {"is version 10.0.1", "needs 10."}));
  EXPECT_TRUE(names(refusal({VIDRT_FAKE_NVINFER "/later"}), {"is version 99.2.3"}));
}

TEST_F(TrtBackendLibrary, ATensorRtThatRefusesToStartIsAnErrorWithWhatItLogged) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(start(VIDRT_FAKE_NVINFER "/refuses"), ::testing::ExitedWithCode(0),
              "TensorRT [0-9]+\\.99\\.0 .*does not start on cuda:0: the fake says no");
}

TEST_F(TrtBackendLibrary, TheRealLibraryIsTakenAndSaysWhatItLacksWithoutAGpu) {
  if (!fs::exists(real_folder() + "/libnvinfer.so.10")) {
    GTEST_SKIP() << "TensorRT's library is not in " << real_folder() << "; `make tensorrt-libs` fetches it";
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(start(real_folder()), ::testing::ExitedWithCode(0),
              "started tensorrt 10\\.|TensorRT 10.*does not start on cuda:0: .*CUDA initialization failure");
}

}  // namespace
}  // namespace vidrt::testing
