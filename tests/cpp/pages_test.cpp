// Pages of a mapped file are the process's memory from when they are read until they are let go.
#include "runtime/pages.h"

#include <gtest/gtest.h>

#include <string>

#include "runtime/mapped_file.h"
#include "support/memory_growth.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

constexpr std::uint64_t kBytes = std::uint64_t{16} << 20U;
constexpr std::int64_t kKib = kBytes / 1024;
constexpr std::int64_t kNoise = kKib / 16;

TEST(Pages, CountOnceTheyAreTouchedAndNoMoreOnceTheyAreDropped) {
  const TempFolder folder;
  write_bytes(folder / "weights.bin", std::string(kBytes, 'w'));
  const MappedFile file(folder / "weights.bin", kBytes);
  const std::int64_t mapped = resident_kib();
  touch_pages(file.data(), kBytes);
  EXPECT_NEAR(resident_kib() - mapped, kKib, kNoise);
  file.drop_pages(0, kBytes);
  EXPECT_NEAR(resident_kib() - mapped, 0, kNoise);
  EXPECT_EQ(file.data()[kBytes - 1], 'w');
}

TEST(Pages, OfNothingAreNone) { touch_pages(nullptr, 0); }

}  // namespace
}  // namespace vidrt::testing
