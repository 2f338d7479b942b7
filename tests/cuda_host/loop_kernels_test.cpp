// The sampling loop's kernels: the bits of the processor's passes, every access in bounds, traffic as little as can be.
#include "kernels/loop/loop_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cuda/loop_step.h"
#include "cuda_host/emulator/stream.h"
#include "runtime/device.h"

namespace vidrt::kernels::testing {
namespace {

using cuda_host::Rights;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// `count` floats at a distance of `offset` from where cudaMalloc would place them; NaN at first.
class Floats {
 public:
  Floats(std::size_t count, std::size_t offset = 0) : count_(count), memory_(count + offset + kAlignment, kNan) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    begin_ = (kAlignment - address / sizeof(float) % kAlignment) % kAlignment + offset;
  }

  float* data() { return memory_.data() + begin_; }
  std::size_t size() const { return count_; }
  std::vector<float> values() { return {data(), data() + count_}; }
  void assign(const std::vector<float>& values) { std::copy(values.begin(), values.end(), data()); }
  void declare(const char* name, Rights rights, CUstream_st* stream) {
    stream->memory.declare(name, data(), count_ * sizeof(float), rights);
  }

 private:
  static constexpr std::size_t kAlignment = 64;  // floats in 256 bytes
  std::size_t count_;
  std::vector<float> memory_;
  std::size_t begin_;
};

std::vector<float> noise(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

// Compares NaN and the sign of zero as well.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::string multistep(const char* name, int order) {
  return std::string(R"({"_class_name": ")") + name +
         R"(", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 3.0, "solver_order": )" +
         std::to_string(order) + "}";
}

struct StepCase {
  std::size_t count;
  std::size_t offset;  // of every second tensor, in floats
  bool is_guided;
  bool is_copied;
  std::size_t frame_size = 0;  // of a first frame that is given; 0: none
};

// A sampling of six steps with predictions made of noise, by `apply`; gives all that it wrote.
template <typename Apply>
std::vector<float> sample(const SchedulerTable& table, const StepCase& step_case, Apply apply) {
  const auto& [count, offset, is_guided, is_copied, frame_size] = step_case;
  constexpr std::size_t kFrames = 3;
  std::vector<Floats> tensors;
  for (std::size_t i = 0; i < 8; ++i) tensors.emplace_back(count, i % 2 * offset);
  StepTensors step;
  step.output_negative = is_guided ? tensors[0].data() : nullptr;
  step.output_positive = tensors[1].data();
  step.guidance_scale = 4.5f;
  step.sample = tensors[2].data();
  step.sample_copy = is_copied ? tensors[3].data() : nullptr;
  step.prev_sample = table.needs_prev_sample ? tensors[4].data() : nullptr;
  for (int i = 0; i < table.num_history; ++i) {
    step.history[static_cast<std::size_t>(i)] = tensors[static_cast<std::size_t>(5 + i)].data();
  }
  step.count = static_cast<std::int64_t>(count);
  tensors[2].assign(noise(count, 1));
  if (frame_size != 0) {
    tensors.emplace_back(count / kFrames, offset);
    tensors[8].assign(noise(count / kFrames, 2));
    step.first_frame = {tensors[8].data(), kFrames, static_cast<std::int64_t>(frame_size)};
  }
  std::vector<float> written;
  for (std::size_t i = 0; i < table.steps.size(); ++i) {
    tensors[0].assign(noise(count, static_cast<unsigned>(100 + i)));
    tensors[1].assign(noise(count, static_cast<unsigned>(200 + i)));
    apply(static_cast<int>(i), step, tensors);
    rotate_history(table, step);
    for (std::size_t t = 2; t < tensors.size(); ++t) {
      const std::vector<float> values = tensors[t].values();
      written.insert(written.end(), values.begin(), values.end());
    }
  }
  return written;
}

class LoopStepKernel : public ::testing::TestWithParam<std::string> {};

TEST_P(LoopStepKernel, GivesTheBitsOfTheProcessorInAnyOrder) {
  const SchedulerTable table = make_scheduler_table(GetParam(), "", 6);
  std::uint64_t seed = 0;
  for (const std::size_t count : {std::size_t{1}, std::size_t{5}, std::size_t{1024}, std::size_t{1027}}) {
    std::vector<StepCase> cases = {
        {count, 0, true, true}, {count, 0, false, false}, {count, 1, true, false}, {count, 2, false, true}};
    if (count == 1024) {
      // Frames that words of four floats cut, and that are no whole number of them.
      for (const std::size_t frame_size : {std::size_t{1}, std::size_t{31}, std::size_t{64}}) {
        const std::size_t clip = 5 * 3 * frame_size;
        cases.insert(cases.end(), {{clip, 0, true, true, frame_size}, {clip, 1, false, false, frame_size}});
      }
    }
    for (const StepCase& one : cases) {
      const std::size_t count = one.count;
      SCOPED_TRACE(std::to_string(count) + " from " + std::to_string(one.offset));
      const std::vector<float> expected =
          sample(table, one,
                 [&](int step, const StepTensors& tensors, std::vector<Floats>&) { apply_step(table, step, tensors); });
      const std::vector<float> got =
          sample(table, one, [&](int step, const StepTensors& tensors, std::vector<Floats>& memory) {
            CUstream_st stream;
            stream.seed = ++seed;
            for (std::size_t i = 0; i < memory.size(); ++i) {
              const std::string name = "tensor " + std::to_string(i);
              memory[i].declare(name.c_str(), i < 2 || i == 8 ? Rights::kRead : Rights::kReadWrite, &stream);
            }
            ASSERT_EQ(loop_step_cuda(make_loop_step(table, step, tensors), &stream), cudaSuccess);
            const std::size_t width = one.offset == 0 ? 4 : 1;
            EXPECT_EQ(stream.launches.at(0).blocks, (count + 256 * width - 1) / (256 * width));
          });
      EXPECT_TRUE(same_bits(got, expected));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, LoopStepKernel,
    ::testing::Values(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})",
                      R"({"_class_name": "FlowMatchLCMScheduler", "timesteps": [1000, 900, 757, 522, 300, 100]})",
                      multistep("UniPCMultistepScheduler", 1), multistep("UniPCMultistepScheduler", 2),
                      multistep("UniPCMultistepScheduler", 3), multistep("DPMSolverMultistepScheduler", 1),
                      multistep("DPMSolverMultistepScheduler", 2), multistep("DPMSolverMultistepScheduler", 3)));

TEST(LoopFillKernel, SetsEveryElementAndNoOther) {
  for (const std::size_t count : {0u, 1u, 6u, 1024u, 4097u}) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{3}}) {
      Floats values(count, offset);
      CUstream_st stream;
      values.declare("values", Rights::kReadWrite, &stream);
      ASSERT_EQ(loop_fill_cuda(values.data(), static_cast<std::int64_t>(count), 2.5f, &stream), cudaSuccess);
      EXPECT_EQ(values.values(), std::vector<float>(count, 2.5f)) << count << " from " << offset;
    }
  }
}

class NotFiniteKernel : public ::testing::Test {
 protected:
  bool finds(Floats& values, std::uint64_t seed = 0) {
    const auto count = static_cast<std::int64_t>(values.size());
    std::vector<std::uint32_t> verdicts(static_cast<std::size_t>(loop_verdicts(count)), 7);
    CUstream_st stream;
    stream.seed = seed;
    values.declare("values", Rights::kRead, &stream);
    stream.memory.declare("verdicts", verdicts.data(), verdicts.size() * sizeof(verdicts[0]), Rights::kReadWrite);
    EXPECT_EQ(loop_find_not_finite_cuda(values.data(), count, verdicts.data(), &stream), cudaSuccess);
    return std::any_of(verdicts.begin(), verdicts.end(), [](std::uint32_t verdict) { return verdict != 0; });
  }
};

TEST_F(NotFiniteKernel, FindsOneAmongMany) {
  const std::array<float, 3> bad = {kNan, std::numeric_limits<float>::infinity(),
                                    -std::numeric_limits<float>::infinity()};
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}}) {
    for (const std::size_t count : {std::size_t{7}, std::size_t{140'003}}) {
      Floats values(count, offset);
      values.assign(std::vector<float>(count, std::numeric_limits<float>::max()));
      EXPECT_FALSE(finds(values)) << count;
      const std::array<std::size_t, 3> places = {0, count / 2, count - 1};
      for (std::size_t i = 0; i < places.size(); ++i) {
        const float before = values.data()[places[i]];
        values.data()[places[i]] = bad[i];
        EXPECT_TRUE(finds(values, i)) << bad[i] << " at " << places[i] << " of " << count;
        values.data()[places[i]] = before;
      }
    }
  }
}

TEST(DifferenceKernel, SumsEveryLaneInTheOrderOfItsElements) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{kLoopLanes}, std::size_t{2 * kLoopLanes + 33}}) {
    for (const bool has_other : {true, false}) {
      Floats values(count), others(count, 1), sums(kLoopLanes);
      values.assign(noise(count, 1));
      others.assign(noise(count, 2));
      CUstream_st stream;
      stream.seed = count;
      values.declare("values", Rights::kRead, &stream);
      others.declare("others", Rights::kRead, &stream);
      sums.declare("sums", Rights::kReadWrite, &stream);
      ASSERT_EQ(loop_sum_differences_cuda(values.data(), has_other ? others.data() : nullptr,
                                          static_cast<std::int64_t>(count), sums.data(), &stream),
                cudaSuccess);
      std::vector<float> expected(kLoopLanes, 0.0f);
      for (std::size_t i = 0; i < count; ++i) {
        expected[i % kLoopLanes] += std::fabs(values.data()[i] - (has_other ? others.data()[i] : 0.0f));
      }
      EXPECT_TRUE(same_bits(sums.values(), expected)) << count;
    }
  }
}

TEST(BlendKernel, GivesTheBitsOfTheProcessorAndTouchesNoOtherPixel) {
  struct Case {
    std::int64_t tile_width, left;
    std::size_t offset;  // of the frames, in floats
  };
  for (const Case& one : {Case{8, 4, 0}, {8, 4, 1}, {8, 3, 0}, {7, 4, 0}, {1, 0, 0}, {16, 0, 0}}) {
    // Frames 1 and 2 of a tile of 4, into 3 frames of 5x16.
    LoopBlend p;
    p.num_frames = 3, p.height = 5, p.width = 16;
    p.tile_frames = 4, p.tile_height = 3, p.tile_width = one.tile_width;
    p.first = 1, p.count = 2, p.top = 2, p.left = one.left;
    Floats frames(3 * 3 * 5 * 16, one.offset), expected(frames.size());
    Floats tile(static_cast<std::size_t>(3 * 4 * 3 * one.tile_width)), rows(3);
    Floats columns(static_cast<std::size_t>(one.tile_width));
    frames.assign(noise(frames.size(), 1));
    expected.assign(frames.values());
    tile.assign(noise(tile.size(), 2));
    rows.assign(noise(rows.size(), 3));
    columns.assign(noise(columns.size(), 4));
    TileBlend blend;
    blend.frames = {expected.data(), DType::kFloat32, {1, 3, 3, 5, 16}};
    blend.tile = {tile.data(), DType::kFloat32, {1, 3, 4, 3, one.tile_width}};
    blend.rows = rows.data();
    blend.columns = columns.data();
    blend.first = 1, blend.count = 2, blend.top = 2, blend.left = static_cast<int>(one.left);
    blend_tile(blend);
    p.frames = frames.data(), p.tile = tile.data(), p.rows = rows.data(), p.columns = columns.data();
    CUstream_st stream;
    stream.seed = one.offset + 1;
    frames.declare("frames", Rights::kReadWrite, &stream);
    tile.declare("tile", Rights::kRead, &stream);
    rows.declare("rows", Rights::kRead, &stream);
    columns.declare("columns", Rights::kRead, &stream);
    ASSERT_EQ(loop_blend_cuda(p, &stream), cudaSuccess);
    EXPECT_TRUE(same_bits(frames.values(), expected.values())) << one.tile_width << " at " << one.left;
  }
}

class RgbKernel : public ::testing::Test {
 protected:
  // All frames of (1,3,frames,height,width) but the first, by the kernel; `planes` hold them.
  template <typename Value = std::uint8_t>
  static std::vector<Value> converted(Floats& planes, int frames, std::int64_t height, std::int64_t width,
                                      std::uint64_t seed = 0) {
    const LoopFrames wanted = {planes.data(), frames, height * width, 1, frames - 1};
    const auto values = static_cast<std::size_t>(wanted.count * wanted.pixels * 3);
    const std::size_t room = loop_rgb_room(wanted.count, wanted.pixels, sizeof(Value));
    std::vector<std::uint32_t> rgb(room / 4 + 64, 0xffffffffu);
    auto* words = rgb.data();
    while (reinterpret_cast<std::uintptr_t>(words) % 256 != 0) ++words;
    auto* aligned = reinterpret_cast<Value*>(words);
    CUstream_st stream;
    stream.seed = seed;
    planes.declare("planes", Rights::kRead, &stream);
    stream.memory.declare("rgb", aligned, room, Rights::kReadWrite);
    EXPECT_EQ(loop_rgb_cuda(wanted, aligned, &stream), cudaSuccess);
    return {aligned, aligned + values};
  }

  template <typename Value = std::uint8_t>
  static std::vector<Value> on_host(Floats& planes, int frames, std::int64_t height, std::int64_t width) {
    const DType output = sizeof(Value) == 1 ? DType::kUInt8 : DType::kFloat32;
    const auto reader = host_device().frame_reader(frames - 1, height, width, output);
    reader->begin({planes.data(), DType::kFloat32, {1, 3, frames, height, width}}, 1, frames - 1);
    std::vector<Value> rgb(static_cast<std::size_t>((frames - 1) * height * width * 3));
    reader->end(rgb.data());
    return rgb;
  }
};

TEST_F(RgbKernel, GivesTheBytesAndTheFloatsOfTheProcessor) {
  struct Size {
    int frames;
    std::int64_t height, width;
  };
  for (const Size& size :
       {Size{2, 1, 1}, {3, 1, 5}, {2, 2, 2}, {4, 8, 12}, {3, 7, 9}, {2, 32, 32}, {3, 33, 50}, {2, 64, 80}}) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{1}}) {
      const auto count = static_cast<std::size_t>(3 * size.frames * size.height * size.width);
      Floats planes(count, offset);
      std::vector<float> values = noise(count, 5);
      // On and beside the edges between two levels, some of them exact ties.
      for (std::size_t i = 0; i < count; i += 2) values[i] = static_cast<float>(i % 510 + 1) / 255.0f - 1.0f;
      planes.assign(values);
      const std::vector<std::uint8_t> expected = on_host(planes, size.frames, size.height, size.width);
      const std::vector<float> floats = on_host<float>(planes, size.frames, size.height, size.width);
      for (const std::uint64_t seed : {1u, 2u}) {
        EXPECT_EQ(converted(planes, size.frames, size.height, size.width, seed), expected)
            << size.frames << "x" << size.height << "x" << size.width << " from " << offset;
        EXPECT_EQ(converted<float>(planes, size.frames, size.height, size.width, seed), floats)
            << size.frames << "x" << size.height << "x" << size.width << " from " << offset;
      }
    }
  }
}

TEST_F(RgbKernel, ClampsAndTakesNanForBlack) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> odd = {kNan, kInfinity, -kInfinity, 7.0f, -7.0f, 0.0f, 1.0f, -1.0f};
  Floats planes(3 * 2 * odd.size());
  for (std::size_t i = 0; i < planes.size(); ++i) planes.data()[i] = odd[i % odd.size()];
  const std::vector<std::uint8_t> rgb = converted(planes, 2, 2, 4);
  EXPECT_EQ(rgb, on_host(planes, 2, 2, 4));
  const std::array<std::uint8_t, 8> levels = {0, 255, 0, 255, 0, 128, 255, 0};
  for (std::size_t i = 0; i < rgb.size(); ++i) EXPECT_EQ(rgb[i], levels[i / 3]) << i;
  const std::vector<float> floats = converted<float>(planes, 2, 2, 4);
  EXPECT_EQ(floats, on_host<float>(planes, 2, 2, 4));
  const std::array<float, 8> parts = {0.0f, 1.0f, 0.0f, 1.0f, 0.0f, 0.5f, 1.0f, 0.0f};
  for (std::size_t i = 0; i < floats.size(); ++i) EXPECT_EQ(floats[i], parts[i / 3]) << i;
}

class LoopTraffic : public ::testing::Test {
 protected:
  static constexpr std::size_t kCount = 1 << 16;

  LoopTraffic() { stream_.counts_traffic = true; }
  void expect_bytes(double ideal, double most = 1.0) {
    EXPECT_GE(static_cast<double>(stream_.traffic.bytes()) / ideal, 1.0);
    EXPECT_LE(static_cast<double>(stream_.traffic.bytes()) / ideal, most);
  }

  CUstream_st stream_;
};

TEST_F(LoopTraffic, AStepReadsAndWritesEveryTensorOnce) {
  const SchedulerTable table = make_scheduler_table(multistep("UniPCMultistepScheduler", 2), "", 6);
  std::vector<Floats> tensors(7, Floats(0));
  for (Floats& tensor : tensors) {
    tensor = Floats(kCount);
    tensor.declare("tensor", Rights::kReadWrite, &stream_);
  }
  StepTensors step;
  step.output_negative = tensors[0].data();
  step.output_positive = tensors[1].data();
  step.sample = tensors[2].data();
  step.sample_copy = tensors[3].data();
  step.prev_sample = tensors[4].data();
  step.history = {tensors[5].data(), tensors[6].data(), nullptr};
  step.count = kCount;
  ASSERT_EQ(loop_step_cuda(make_loop_step(table, 3, step), &stream_), cudaSuccess);
  // Read: two outputs, the sample, the previous one, two of history; written: the sample, its copy, the previous one,
  // one of history.
  expect_bytes(10.0 * kCount * sizeof(float));
}

TEST_F(LoopTraffic, TheOtherKernelsMoveEveryByteOnce) {
  Floats values(3 * kCount);
  values.assign(std::vector<float>(3 * kCount, 0.0f));
  values.declare("values", Rights::kReadWrite, &stream_);
  ASSERT_EQ(loop_fill_cuda(values.data(), 3 * kCount, 1.0f, &stream_), cudaSuccess);
  expect_bytes(3.0 * kCount * sizeof(float));

  stream_.traffic = {};
  Floats verdicts(static_cast<std::size_t>(loop_verdicts(3 * kCount)));
  verdicts.declare("verdicts", Rights::kReadWrite, &stream_);
  ASSERT_EQ(
      loop_find_not_finite_cuda(values.data(), 3 * kCount, reinterpret_cast<std::uint32_t*>(verdicts.data()), &stream_),
      cudaSuccess);
  // A verdict is a word, and moves as a sector.
  expect_bytes(3.0 * kCount * sizeof(float), 1.05);

  stream_.traffic = {};
  Floats rgb(3 * kCount / sizeof(float));
  rgb.declare("rgb", Rights::kReadWrite, &stream_);
  const LoopFrames frames = {values.data(), 1, kCount, 0, 1};
  ASSERT_EQ(loop_rgb_cuda(frames, reinterpret_cast<unsigned char*>(rgb.data()), &stream_), cudaSuccess);
  expect_bytes(3.0 * kCount * (sizeof(float) + 1));

  stream_.traffic = {};
  Floats float_rgb(3 * kCount);
  float_rgb.declare("float_rgb", Rights::kReadWrite, &stream_);
  ASSERT_EQ(loop_rgb_cuda(frames, float_rgb.data(), &stream_), cudaSuccess);
  expect_bytes(3.0 * kCount * 2 * sizeof(float));

  stream_.traffic = {};
  Floats tile(3 * kCount / 4), weights(128);
  tile.declare("tile", Rights::kRead, &stream_);
  weights.declare("weights", Rights::kRead, &stream_);
  // A tile of 128x128 in a frame of 256x256.
  LoopBlend blend;
  blend.frames = values.data();
  blend.num_frames = 1, blend.height = 256, blend.width = 256;
  blend.tile = tile.data();
  blend.tile_frames = 1, blend.tile_height = 128, blend.tile_width = 128;
  blend.rows = blend.columns = weights.data();
  blend.count = 1, blend.top = 64, blend.left = 64;
  ASSERT_EQ(loop_blend_cuda(blend, &stream_), cudaSuccess);
  // The tile and what it adds to are read, and that is written; weights are read again and again, from a cache.
  expect_bytes(3.0 * 3.0 * 128 * 128 * sizeof(float), 1.5);
}

}  // namespace
}  // namespace vidrt::kernels::testing
