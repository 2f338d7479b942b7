// A file is whole or not there.
#include "runtime/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "support/temp_folder.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicFile, TheNameAppearsOnlyWithTheWholeContent) {
  const TempFolder folder;
  AtomicFile file(folder / "out");
  file.write("ab", 2);
  EXPECT_FALSE(fs::exists(folder / "out"));
  file.write("cd", 2);
  file.commit();
  EXPECT_EQ(read_bytes(folder / "out"), "abcd");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, WithoutCommitTheOldFileStaysAndNothingIsLeftBehind) {
  const TempFolder folder;
  write_bytes(folder / "out", "old");
  {
    AtomicFile file(folder / "out");
    file.write("new", 3);
  }
  EXPECT_EQ(read_bytes(folder / "out"), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(AtomicFile, AMissingFolderAndAFolderAsTargetAreErrorsThatNameThem) {
  const TempFolder folder;
  EXPECT_TRUE(
      names(message_of<IoError>([&] { write_file_atomic(folder / "no/out", "x"); }), {"no/out", "No such file"}));
  EXPECT_TRUE(names(message_of<IoError>([&] { write_file_atomic(folder.path(), "x"); }), {"is a folder"}));
  EXPECT_EQ(entries(folder.path()), 0U);
}

TEST(AtomicFile, AWriteThatTheSystemRefusesHalfWayLeavesTheOldFile) {
  const TempFolder folder;
  write_bytes(folder / "out", "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 4096;  // as good as a full disk
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = message_of<IoError>([&] { write_file_atomic(folder / "out", std::string(100000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(names(message, {"out", "(write)", "File too large"}));
  EXPECT_EQ(read_bytes(folder / "out"), "old");
  EXPECT_EQ(entries(folder.path()), 1U);
}

}  // namespace
}  // namespace vidrt::testing
