// Where vidrt's own libraries are looked for, and what is said of those that are missing or of another version.
#include "runtime/own_library.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX

#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

namespace fs = std::filesystem;

class OwnLibraryTest : public ::testing::Test {
 protected:
  ~OwnLibraryTest() override { unsetenv("VIDRT_LIBRARY_DIR"); }

  static void look_in(const std::string& folder) { setenv("VIDRT_LIBRARY_DIR", folder.c_str(), 1); }
  std::string refusal() {
    return message_of<BackendError>([&] { library.function<int(int)>("vidrt_part_double"); });
  }

  TempFolder folder;
  OwnLibrary library{"vidrt_part", "this vidrt has no parts; build them."};
};

TEST_F(OwnLibraryTest, IsOpenedInTheFolderThatIsNamed) {
  look_in(fs::path(VIDRT_PART).parent_path());
  EXPECT_TRUE(library.exists());
  EXPECT_EQ(library.function<int(int)>("vidrt_part_double")(21), 42);
  EXPECT_TRUE(names(message_of<BackendError>([&] { library.function<void()>("vidrt_part_other"); }),
                    {"libvidrt_part.so", "vidrt_part_other"}));
}

TEST_F(OwnLibraryTest, OneThatIsMissingSaysWhatToDoAndWhereItWasLookedFor) {
  EXPECT_FALSE(library.exists());
  const std::string beside = own_folder() + "/libvidrt_part.so";
  EXPECT_TRUE(names(refusal(), {"this vidrt has no parts; build them. Tried:", beside.c_str(), "no such file",
                                "(the loader's path)"}));
  look_in(folder.path());
  EXPECT_FALSE(library.exists());
  EXPECT_TRUE(names(refusal(), {"build them.", folder.path().c_str(), "(VIDRT_LIBRARY_DIR)"}));
  EXPECT_EQ(refusal().find("loader's path"), std::string::npos) << "the folder that is named is the only one";
}

TEST_F(OwnLibraryTest, OneOfAnotherVersionIsRefused) {
  look_in(fs::path(VIDRT_OTHER_PART).parent_path());
  EXPECT_TRUE(library.exists());
  const std::string message = refusal();
  EXPECT_TRUE(names(message, {"libvidrt_part.so cannot be used", "is of vidrt 0.0.1", "this is " VIDRT_VERSION}));
  EXPECT_EQ(message.find("build them"), std::string::npos);
}

TEST_F(OwnLibraryTest, AFileThatIsNoLibraryOfOursIsRefused) {
  look_in(folder.path());
  std::ofstream(folder.path() + "/libvidrt_part.so") << "not a library";
  EXPECT_TRUE(library.exists());
  EXPECT_TRUE(names(refusal(), {"cannot be used", folder.path().c_str()}));
  fs::remove(folder.path() + "/libvidrt_part.so");
  fs::create_symlink(VIDRT_ORT_OPS_LIBRARY, folder.path() + "/libvidrt_part.so");
  EXPECT_TRUE(names(refusal(), {"cannot be used", "has no version"}));
}

TEST_F(OwnLibraryTest, ASearchThatFailedMayBeTriedAgain) {
  look_in(folder.path());
  refusal();
  look_in(fs::path(VIDRT_PART).parent_path());
  EXPECT_EQ(library.function<int(int)>("vidrt_part_double")(3), 6);
}

}  // namespace
}  // namespace vidrt::testing
