// Where ONNX Runtime is looked for, and what is said when it is not there. The library is opened once for a process, so
// each case runs in one of its own.
#include "onnxruntime/ort_library.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX

#include <cstdio>
#include <cstdlib>

#include "support/ort_test.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

constexpr const char* kVariable = "VIDRT_ONNXRUNTIME";

// Prints the outcome to standard error, for EXPECT_EXIT to look at.
[[noreturn]] void look_for_library() {
  try {
    std::fprintf(stderr, "found %s\n", ort_library().path.c_str());
    std::exit(0);
  } catch (const BackendError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(3);
  }
}

class OrtLibraryDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // the child starts from nothing
};

TEST_F(OrtLibraryDeathTest, AFileThatIsNotThereIsNamedWithWhatToInstall) {
  const auto search = [] {
    setenv(kVariable, "/no/such/libonnxruntime.so", 1);
    look_for_library();
  };
  EXPECT_EXIT(search(), ::testing::ExitedWithCode(3), "vidrt\\[cpu\\]");
  EXPECT_EXIT(search(), ::testing::ExitedWithCode(3), "/no/such/libonnxruntime.so \\(VIDRT_ONNXRUNTIME\\)");
}

TEST_F(OrtLibraryDeathTest, ALibraryThatIsSomethingElseIsRefused) {
  EXPECT_EXIT(
      {
        setenv(kVariable, "libm.so.6", 1);
        look_for_library();
      },
      ::testing::ExitedWithCode(3), "libm.so.6 .*is not ONNX Runtime");
}

TEST_F(OrtLibraryDeathTest, FoldersWithoutTheLibraryAreListedInOrder) {
  EXPECT_EXIT(
      {
        unsetenv(kVariable);
        add_onnxruntime_search_path("/no/such/folder");
        add_onnxruntime_search_path("/another");
        add_onnxruntime_search_path("/no/such/folder");
        look_for_library();
      },
      // A machine may have the library elsewhere: then it is found, and nothing is listed.
      [](int status) { return ::testing::ExitedWithCode(0)(status) || ::testing::ExitedWithCode(3)(status); },
      "found|/no/such/folder: no libonnxruntime.so\\*\n  /another: no libonnxruntime.so");
}

TEST_F(OrtLibraryDeathTest, ASearchThatFailedMayBeTriedAgain) {
  if (std::getenv(kVariable) == nullptr) GTEST_SKIP() << "VIDRT_ONNXRUNTIME does not say where the library is";
  EXPECT_EXIT(
      {
        const std::string right = std::getenv(kVariable);
        setenv(kVariable, "/no/such/library.so", 1);
        try {
          ort_library();
        } catch (const BackendError&) {
          setenv(kVariable, right.c_str(), 1);
        }
        look_for_library();
      },
      ::testing::ExitedWithCode(0), "found ");
}

}  // namespace
}  // namespace vidrt::testing
