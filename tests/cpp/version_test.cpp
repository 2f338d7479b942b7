#include "vidrt/version.h"

#include <gtest/gtest.h>

namespace vidrt {
namespace {

TEST(Version, IsTheOneTheProjectDeclares) { EXPECT_STREQ(version(), VIDRT_VERSION); }

}  // namespace
}  // namespace vidrt
