// The pipeline over a device whose memory the host cannot touch and which does its work late, and the processor's own
// device.
#include "runtime/device.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "support/device_cases.h"
#include "support/secluded_device.h"

namespace vidrt::testing {
namespace {

struct Secluded {
  static std::string why_not() { return ""; }
  static std::shared_ptr<TestDevice> open() { return std::make_shared<SecludedDevice>(); }
  static constexpr bool kIsLate = true;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Secluded, DevicePipeline, Secluded);

class SecludedPipeline : public DevicePipeline<Secluded> {};

TEST_F(SecludedPipeline, AnErrorOfQueuedWorkEndsTheGenerationAndThePipelineStaysUsable) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  for (const char* failing : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
    Pipeline another = open_there();
    there->before_run = [&](const std::string& module) {
      if (module == failing) throw BackendError("the device was lost");
    };
    EXPECT_EQ(message_of<BackendError>([&] { another.generate(prompt_options()); }), "the device was lost") << failing;
    there->before_run = nullptr;
    EXPECT_EQ(pixels(another.generate(prompt_options())), expected) << failing;
  }
}

TEST(HostDevice, FramesBecomeRgbAndAreClamped) {
  // The last two of three frames of 1x2 pixels.
  std::vector<float> values(3 * 3 * 2, -1.0f);
  const auto level = [](float value) { return value / 255.0f * 2.0f - 1.0f; };
  const TensorView frames{values.data(), DType::kFloat32, {1, 3, 3, 1, 2}};
  values[2] = 3.0f;                                          // red, frame 1
  values[3] = level(128.0f);                                 //
  values[6 + 4] = level(64.0f);                              // green, frame 2
  values[12 + 3] = -std::numeric_limits<float>::infinity();  // blue, frame 1
  const auto reader = host_device().frame_reader(2, 1, 2, DType::kUInt8);
  reader->begin(frames, 1, 2);
  std::array<std::uint8_t, 12> rgb{};
  reader->end(rgb.data());
  EXPECT_EQ(rgb, (std::array<std::uint8_t, 12>{255, 0, 0, 128, 0, 0, 0, 64, 0, 0, 0, 0}));
}

TEST(HostDevice, FloatFramesAreClampedAndTheBytesAreTheirRoundedLevels) {
  constexpr int kPixels = 700;
  std::vector<float> values(3 * kPixels);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i)) * 1.2f;
  values[0] = std::numeric_limits<float>::quiet_NaN();
  values[1] = std::numeric_limits<float>::infinity();
  values[2] = 0.0f;  // half a level, a tie
  const TensorView frames{values.data(), DType::kFloat32, {1, 3, 1, 1, kPixels}};
  std::vector<float> floats(values.size());
  std::vector<std::uint8_t> bytes(values.size());
  const auto read = [&](DType output, void* to) {
    const auto reader = host_device().frame_reader(1, 1, kPixels, output);
    reader->begin(frames, 0, 1);
    reader->end(to);
  };
  read(DType::kFloat32, floats.data());
  read(DType::kUInt8, bytes.data());
  EXPECT_EQ(floats[0], 0.0f);
  EXPECT_EQ(floats[3], 1.0f);
  EXPECT_EQ(bytes[6], 128);
  for (std::size_t i = 1; i < floats.size(); ++i) {
    const float value = values[i % 3 * kPixels + i / 3];
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(floats[i], std::min(std::max(value / 2.0f + 0.5f, 0.0f), 1.0f)) << i;
    EXPECT_EQ(bytes[i], static_cast<std::uint8_t>(std::nearbyintf(floats[i] * 255.0f))) << i;
  }
}

TEST(HostDevice, RowsAreCopiedFromPitchToPitch) {
  const std::array<char, 9> from{'a', 'b', '-', 'c', 'd', '-', 'e', 'f', '-'};
  std::array<char, 6> to{};
  host_device().copy_rows(to.data(), 2, from.data(), 3, 2, 3);
  EXPECT_EQ(std::string(to.begin(), to.end()), "abcdef");
}

}  // namespace
}  // namespace vidrt::testing
