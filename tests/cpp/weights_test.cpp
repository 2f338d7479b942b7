// Weights are read from the file as they are, widened exactly, and held once for all who hold them.
#include "runtime/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <thread>

#include "runtime/mapped_file.h"
#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

float widened(std::uint16_t bits, DType dtype) {
  float value = 0.0f;
  widen(reinterpret_cast<const std::uint8_t*>(&bits), dtype, 1, reinterpret_cast<std::uint8_t*>(&value));
  return value;
}

// By the definition of the format (IEEE 754-2008, 3.4): 5 bits of exponent, 10 of fraction.
float half_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return static_cast<float>((bits & 0x8000) != 0 ? -value : value);
}

TEST(Widen, EveryHalfIsExact) {
  for (unsigned bits = 0; bits < 0x10000U; ++bits) {
    const float expected = half_by_definition(static_cast<std::uint16_t>(bits));
    const float got = widened(static_cast<std::uint16_t>(bits), DType::kFloat16);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
    } else {
      ASSERT_EQ(std::memcmp(&got, &expected, sizeof(got)), 0) << bits << ": " << got << ", expected " << expected;
    }
  }
}

TEST(Widen, ABfloat16IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(widened(0x3f80, DType::kBFloat16), 1.0f);
  EXPECT_EQ(widened(0xc049, DType::kBFloat16), -3.140625f);
  EXPECT_EQ(widened(0x0001, DType::kBFloat16), std::ldexp(1.0f, -133));
  EXPECT_TRUE(std::isinf(widened(0x7f80, DType::kBFloat16)));
}

TEST(Widen, OtherTypesAreRefused) {
  EXPECT_TRUE(names(message_of<InvalidArgument>([] { widened(0, DType::kInt64); }), {"int64", "float16"}));
}

class WeightLoading : public ::testing::Test {
 protected:
  // A matrix of consecutive halves 1.0, 1.0009765625, ... at the start of the toy bundle's weights file.
  WeightLoading() {
    std::string bytes(toy.manifest()["data_files"][toy.weights()]["bytes"].get<std::size_t>(), '\0');
    for (std::size_t i = 0; i < rows * columns; ++i) {
      const auto half = static_cast<std::uint16_t>(0x3c00 + i);
      std::memcpy(&bytes[2 * i], &half, sizeof(half));
    }
    toy.write(toy.weights(), bytes);
  }

  LiftedWeight matrix(bool wide, bool transposed) const {
    ExternalTensor stored{"w", toy.weights(), 0, 2 * rows * columns, 10,
                          {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}};
    return LiftedWeight{"w", stored, wide, transposed};
  }

  static constexpr std::size_t rows = 2, columns = 4;
  ToyBundle toy;
  Bundle bundle = Bundle::open(toy.path());
};

TEST_F(WeightLoading, AsStoredIsTheMappedFile) {
  const auto weight = WeightLoader(bundle).load(matrix(false, false));
  EXPECT_TRUE(weight->own.empty());
  EXPECT_EQ(weight->view.dtype, DType::kFloat16);
  EXPECT_EQ(weight->view.as<const std::uint16_t>()[5], 0x3c05);
}

TEST_F(WeightLoading, WidenedAndTransposed) {
  WeightLoader loader(bundle);
  const auto wide = loader.load(matrix(true, false));
  const auto both = loader.load(matrix(true, true));
  const auto turned = loader.load(matrix(false, true));
  EXPECT_EQ(both->view.shape, (Shape{columns, rows}));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const std::size_t straight = row * columns + column, flipped = column * rows + row;
      EXPECT_EQ(wide->view.as<const float>()[straight], 1.0f + static_cast<float>(straight) / 1024.0f);
      EXPECT_EQ(both->view.as<const float>()[flipped], wide->view.as<const float>()[straight]);
      EXPECT_EQ(turned->view.as<const std::uint16_t>()[flipped], 0x3c00 + straight);
    }
  }
}

TEST_F(WeightLoading, OneCopyForAllHoldersAndNoneAfterTheLast) {
  auto first = WeightLoader(bundle).load(matrix(true, false));
  auto second = WeightLoader(Bundle::open(toy.path())).load(matrix(true, false));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, WeightLoader(bundle).load(matrix(true, true)));
  const std::weak_ptr<const Weight> watched = first;
  first.reset();
  EXPECT_FALSE(watched.expired());
  second.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_F(WeightLoading, AFileThatChangedInPlaceIsReadAnew) {
  const auto before = WeightLoader(bundle).load(matrix(true, false));
  const auto size = static_cast<std::size_t>(toy.manifest()["data_files"][toy.weights()]["bytes"]);
  std::filesystem::remove(toy.file_path(toy.weights()));  // the old pages stay with their holder
  toy.write(toy.weights(), std::string(size, '\0'));
  const auto after = WeightLoader(bundle).load(matrix(true, false));
  EXPECT_EQ(before->view.as<const float>()[0], 1.0f);
  EXPECT_EQ(after->view.as<const float>()[0], 0.0f);
}

TEST_F(WeightLoading, AFileOfAnotherSizeIsRefused) {
  toy.write(toy.weights(), "short");
  EXPECT_TRUE(names(message_of<BundleError>([&] { WeightLoader(bundle).load(matrix(true, false)); }),
                    {toy.weights().c_str(), "changed its size"}));
}

TEST_F(WeightLoading, FourThreadsShareOneCopy) {
  std::vector<std::shared_ptr<const Weight>> held(4);
  std::vector<std::thread> threads;
  for (auto& weight : held) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        weight.reset();
        weight = WeightLoader(bundle).load(matrix(true, false));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& weight : held) EXPECT_EQ(weight, held[0]);
}

TEST(MappedFile, AMissingFileIsNamed) {
  EXPECT_TRUE(names(message_of<BundleError>([] { MappedFile("/no/such/file", 1); }), {"/no/such/file", "No such file"}));
}

}  // namespace
}  // namespace vidrt::testing
