#include "runtime/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

namespace vidrt {
namespace {

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

std::vector<float> normals(std::uint64_t seed, std::int64_t first, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_standard_normal_range(seed, first, count, values.data());
  return values;
}

std::vector<float> normals(std::uint64_t seed, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_standard_normal(seed, count, values.data());
  return values;
}

// The vectors that Random123 publishes for philox4x32 with 10 rounds (tests/kat_vectors).
TEST(Philox, GivesThePublishedKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32_10({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The same numbers stand in tests/unit/test_philox.py, where NumPy computes them from the definition.
TEST(StandardNormal, GivesTheGoldenBitsOnEveryPlatform) {
  EXPECT_EQ(bits_of(normals(0, 9)),
            (std::vector<std::uint32_t>{0x3f7dbb33, 0xbf6cb6b0, 0xbf1e1b9f, 0xbef6d1b2, 0xbe1d5357, 0x3e392a6d,
                                        0x3f54ec98, 0x3e4a2da3, 0xbf97da93}));
  EXPECT_EQ(bits_of(normals(7, 9)),
            (std::vector<std::uint32_t>{0x3998dd84, 0xbe9c14e7, 0x3fe4f600, 0x3f88b00c, 0x3ec0b7f6, 0xbfa4bccd,
                                        0x3fe7df5c, 0xbefb83ee, 0x404c2eb5}));
  EXPECT_EQ(bits_of(normals(0xffffffffffffffff, 9)),
            (std::vector<std::uint32_t>{0x3f8c9ec9, 0x3f21de8f, 0x3f255714, 0x3f3ac13d, 0xbf174864, 0x40038e29,
                                        0xbf33358c, 0xbf3265e8, 0xc000561d}));
}

TEST(StandardNormal, CountsBlocksBeyond32Bits) {
  EXPECT_EQ(bits_of(normals(7, std::int64_t{4} * 4294967296 + 1, 1)), (std::vector<std::uint32_t>{0x3fb8b43c}));
  EXPECT_EQ(bits_of(normals(7, 1099511627779, 1)), (std::vector<std::uint32_t>{0xbfc0f520}));
}

// FNV-1a over the little-endian bytes of a million values: any rare rounding difference shows.
TEST(StandardNormal, AMillionValuesHashToTheCommittedNumber) {
  std::uint64_t hash = 14695981039346656037U;
  for (std::uint32_t bits : bits_of(normals(123456789012345, 1000003))) {
    for (int byte = 0; byte < 4; ++byte) hash = (hash ^ ((bits >> (8 * byte)) & 0xffU)) * 1099511628211U;
  }
  EXPECT_EQ(hash, 0xdafcf9a639bce93cU);
}

TEST(StandardNormal, AnElementDependsOnSeedAndIndexOnly) {
  const std::vector<float> whole = normals(42, 1001);
  for (std::int64_t piece : {1, 2, 3, 4, 5, 7, 64, 1000}) {
    std::vector<float> joined;
    for (std::int64_t first = 0; first < 1001; first += piece) {
      const std::vector<float> part = normals(42, first, std::min<std::int64_t>(piece, 1001 - first));
      joined.insert(joined.end(), part.begin(), part.end());
    }
    EXPECT_EQ(bits_of(joined), bits_of(whole)) << "in pieces of " << piece;
  }
}

TEST(StandardNormal, ThreadsFillingPiecesGiveTheSameBits) {
  const std::vector<float> whole = normals(42, 4000);
  std::vector<float> shared(4000);
  std::vector<std::thread> threads;
  for (std::int64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&shared, i] { fill_standard_normal_range(42, i * 1000, 1000, shared.data() + i * 1000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bits_of(shared), bits_of(whole));
}

TEST(StandardNormal, DifferentSeedsGiveDifferentValues) {
  EXPECT_NE(bits_of(normals(1, 64)), bits_of(normals(2, 64)));
  EXPECT_NE(bits_of(normals(1, 64)), bits_of(normals(std::uint64_t{1} << 32U, 64)));
}

TEST(StandardNormal, NothingIsWrittenForACountOfZero) {
  float untouched = 5.0f;
  fill_standard_normal(1, 0, &untouched);
  EXPECT_EQ(untouched, 5.0f);
}

// Bounds are five standard errors of each statistic for n values.
TEST(StandardNormal, HasTheMomentsOfANormalDistribution) {
  const std::vector<float> values = normals(20240601, 1 << 20);
  const double n = static_cast<double>(values.size());
  double mean = 0.0;
  for (float value : values) mean += value / n;
  double m2 = 0.0;
  double m3 = 0.0;
  double m4 = 0.0;
  for (float value : values) {
    const double d = value - mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  EXPECT_NEAR(mean, 0.0, 5.0 * std::sqrt(1.0 / n));
  EXPECT_NEAR(m2, 1.0, 5.0 * std::sqrt(2.0 / n));
  EXPECT_NEAR(m3 / std::pow(m2, 1.5), 0.0, 5.0 * std::sqrt(6.0 / n));
  EXPECT_NEAR(m4 / (m2 * m2), 3.0, 5.0 * std::sqrt(24.0 / n));
}

TEST(StandardNormal, IsCloseToTheNormalDistributionFunctionEverywhere) {
  std::vector<float> values = normals(20240601, 1 << 18);
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double cdf = 0.5 * std::erfc(-values[i] / std::sqrt(2.0));
    distance = std::max({distance, cdf - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - cdf});
  }
  EXPECT_LT(distance * std::sqrt(n), 1.95);  // Kolmogorov's distribution: exceeded once in a thousand
}

TEST(StandardNormal, NeighbouringElementsAreUncorrelated) {
  const std::vector<float> values = normals(99, 1 << 18);
  const double n = static_cast<double>(values.size());
  for (std::size_t lag : {1, 2, 3, 4, 64}) {
    double sum = 0.0;
    for (std::size_t i = lag; i < values.size(); ++i) sum += static_cast<double>(values[i]) * values[i - lag];
    EXPECT_NEAR(sum / n, 0.0, 5.0 / std::sqrt(n)) << "lag " << lag;
  }
}

}  // namespace
}  // namespace vidrt
