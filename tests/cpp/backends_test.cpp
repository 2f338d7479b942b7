// Which words for backends and devices go together, what is taken where nothing is said, and what a backend that this
// machine cannot have says.
#include "runtime/backends.h"

#include <gtest/gtest.h>

#include "support/environment_variable.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

std::string refused(const char* backend, const char* device) {
  return message_of<InvalidArgument>([&] { make_backend(backend, device); });
}

TEST(Backends, DevicesThatTheyDoNotRunOnAreRefused) {
  EXPECT_TRUE(names(refused("onnxruntime", "cuda"), {"'cuda'", "cuda:N"}));
  EXPECT_TRUE(names(refused("onnxruntime", "cuda:-1"), {"'cuda:-1'"}));
  EXPECT_TRUE(names(refused("onnxruntime", "cuda:1x"), {"'cuda:1x'"}));
  EXPECT_TRUE(names(refused("onnxruntime", "cuda:0"), {"runs on cpu", "use backend onnxruntime-cuda or tensorrt"}));
  EXPECT_TRUE(names(refused("onnxruntime-cuda", "cpu"), {"runs on cuda:N", "leave it out for cuda:0"}));
  EXPECT_TRUE(names(refused("tensorrt", "cpu"), {"the backend tensorrt runs on cuda:N"}));
  EXPECT_TRUE(names(refused("onyx", "cpu"), {"'onyx'", "onnxruntime"}));
  EXPECT_TRUE(names(refused("", "cpu"), {"unknown backend ''"}));
}

TEST(Backends, WhatIsLeftOpenIsWhatTheOtherWordAllows) {
  const auto resolved = [](const char* backend, const char* device) {
    PipelineOptions options;
    options.backend = backend;
    options.device = device;
    resolve_backend(&options);
    return options.backend + " " + options.device;
  };
  EXPECT_EQ(resolved("auto", ""), "onnxruntime cpu");
  EXPECT_EQ(resolved("auto", "cuda:1"), "onnxruntime-cuda cuda:1");
  EXPECT_EQ(resolved("onnxruntime", ""), "onnxruntime cpu");
  EXPECT_EQ(resolved("onnxruntime-cuda", ""), "onnxruntime-cuda cuda:0");
  EXPECT_EQ(resolved("tensorrt", ""), "tensorrt cuda:0");
  EXPECT_EQ(resolved("tensorrt-rtx", "cuda:2"), "tensorrt-rtx cuda:2");
}

TEST(Backends, ABackendThatCannotBeHadSaysWhy) {
  for (const char* backend : {"tensorrt", "tensorrt-rtx"}) {
    try {
      make_backend(backend, "");
      GTEST_SKIP() << "this machine has " << backend << " and a GPU";
    } catch (const BackendError& error) {
      // The library, TensorRT, or the driver: each says what to do.
      const std::string message = error.what();
      const bool says_what =
          message.find("TensorRT") != std::string::npos || message.find("driver") != std::string::npos;
      EXPECT_TRUE(says_what) << message;
    }
  }
}

TEST(Backends, AVidrtWithoutALibraryOfAFlavourSaysHowItIsBuilt) {
  const TempFolder empty;
  const EnvironmentVariable folder("VIDRT_LIBRARY_DIR", empty.path());
  EXPECT_TRUE(names(message_of<BackendError>([] { make_backend("tensorrt", ""); }),
                    {"no tensorrt backend", "libvidrt_tensorrt.so (VIDRT_LIBRARY_DIR)"}));
  EXPECT_TRUE(names(message_of<BackendError>([] { make_backend("tensorrt-rtx", ""); }),
                    {"builds engines for tensorrt-rtx and does not run them", "TENSORRT_RTX_ROOT",
                     "libvidrt_tensorrt_rtx.so (VIDRT_LIBRARY_DIR)"}));
}

}  // namespace
}  // namespace vidrt::testing
