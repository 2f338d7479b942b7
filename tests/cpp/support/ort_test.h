// What tests of the real backend share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "onnxruntime/ort_library.h"
#include "vidrt/errors.h"

namespace vidrt::testing {

/// Tests of this kind skip where ONNX Runtime is not to be found: the core is built without it.
class OrtTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      ort_library();
    } catch (const BackendError& error) {
      GTEST_SKIP() << error.what();
    }
  }
};

}  // namespace vidrt::testing
