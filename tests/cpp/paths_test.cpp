// No path of a bundle leaves its folder.
#include "runtime/paths.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/temp_folder.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

namespace fs = std::filesystem;

TEST(Paths, RelativePathsBelowTheFolderAreAllowed) {
  for (const char* path : {"a", "weights/0123.safetensors", "a/b/c.d", "..a/b..", "中文/é"}) {
    EXPECT_EQ(relative_path_fault(path), "") << path;
  }
}

TEST(Paths, PathsThatLeaveTheFolderOrMeanSomethingElsewhereAreRefused) {
  for (const char* path : {"", "/etc/passwd", "..", "../a", "a/../../b", "a/..", "./a", "a/.", "a//b", "a/", "C:/a",
                           "a\\b", "a\nb", "a\x7f"}) {
    EXPECT_NE(relative_path_fault(path), "") << path;
  }
  EXPECT_NE(relative_path_fault(std::string("a\0b", 3)), "");
  EXPECT_NE(relative_path_fault(std::string(2000, 'a')), "");
}

TEST(Paths, AFileInsideTheFolderIsFoundAlsoThroughALinkThatStaysInside) {
  const TempFolder folder;
  write_bytes(folder / "sub/file", "x");
  fs::create_symlink("sub/file", folder / "link");
  EXPECT_EQ(resolve_inside(folder.path(), "sub/file"), folder / "sub/file");
  EXPECT_EQ(resolve_inside(folder.path(), "link"), folder / "sub/file");
}

TEST(Paths, LinksThatLeadOutOfTheFolderAreRefused) {
  const TempFolder outside;
  const TempFolder folder;
  write_bytes(outside / "secret", "x");
  fs::create_symlink(outside / "secret", folder / "link");
  fs::create_directory_symlink(outside.path(), folder / "sub");
  for (const char* path : {"link", "sub/secret"}) {
    EXPECT_TRUE(
        names(message_of<BundleError>([&] { resolve_inside(folder.path(), path); }), {path, "out of the folder"}));
  }
}

TEST(Paths, AFolderWhoseNameOnlyBeginsLikeTheRootIsOutside) {
  const TempFolder parent;
  write_bytes(parent / "bundle-evil/file", "x");
  fs::create_directory(parent / "bundle");
  fs::create_directory_symlink(parent / "bundle-evil", parent / "bundle/sub");
  EXPECT_TRUE(
      names(message_of<BundleError>([&] { resolve_inside(parent / "bundle", "sub/file"); }), {"out of the folder"}));
}

TEST(Paths, MissingFilesLoopsFoldersAndPipesAreRefused) {
  const TempFolder folder;
  fs::create_symlink("loop", folder / "loop");
  fs::create_directory(folder / "sub");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(names(message_of<BundleError>([&] { resolve_inside(folder.path(), "none"); }), {"none", "No such file"}));
  EXPECT_TRUE(names(message_of<BundleError>([&] { resolve_inside(folder.path(), "loop"); }), {"loop"}));
  for (const char* path : {"sub", "pipe"}) {
    EXPECT_TRUE(
        names(message_of<BundleError>([&] { resolve_inside(folder.path(), path); }), {path, "no regular file"}));
  }
  EXPECT_TRUE(names(message_of<BundleError>([&] { file_size(folder / "pipe"); }), {"no regular file"}));
}

TEST(Paths, AFileIsReadWholeOrRefusedAsTooLarge) {
  const TempFolder folder;
  write_bytes(folder / "file", std::string("a\0b", 3));
  EXPECT_EQ(read_file(folder / "file", 3), std::string("a\0b", 3));
  EXPECT_TRUE(names(message_of<BundleError>([&] { read_file(folder / "file", 2); }), {"3 bytes", "at most 2"}));
}

}  // namespace
}  // namespace vidrt::testing
