// What every test of the program runs under: the user's cache folder is never read nor written.
#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX

#include <memory>

#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

class CacheFolder : public ::testing::Environment {
 public:
  void SetUp() override {
    folder_ = std::make_unique<TempFolder>();
    setenv("VIDRT_CACHE_DIR", folder_->path().c_str(), 1);
  }
  void TearDown() override { folder_.reset(); }

 private:
  std::unique_ptr<TempFolder> folder_;
};

[[maybe_unused]] ::testing::Environment* const kCacheFolder = ::testing::AddGlobalTestEnvironment(new CacheFolder);

}  // namespace
}  // namespace vidrt::testing
