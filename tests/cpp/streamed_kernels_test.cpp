// Convolution kernels that are read from their file in every run: what becomes of the graph, its results and its
// memory.
#include "runtime/streamed_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <random>

#include "onnxruntime/ort_environment.h"
#include "runtime/backends.h"
#include "runtime/sha256.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/small_graph.h"
#include "support/throws.h"
#include "support/toy_bundle.h"

namespace vidrt::testing {
namespace {

using OpCounts = std::map<std::string, std::int64_t>;

// z = conv(conv(x, k), k) over a kernel stored in half precision, and one more that is held.
Graph two_convolutions() {
  Graph graph;
  graph.weight(stored_weight("k", kOnnxHalf, {256, 256, 3, 3})).weight(stored_weight("held", kOnnxFloat, {4, 4}));
  graph.node(cast("k", "k.f"));
  graph.node(node("Pad", {"x", "pads"}, "x.padded"));
  graph.node(node("Conv", {"x.padded", "k.f", "bias"}, "y").bytes(3, "first"));
  return graph.node(node("Conv", {"y", "k.f"}, "z")).output("z");
}

TEST(StreamedKernels, EachConvolutionGetsANodeThatReadsItsKernel) {
  const StreamingGraph streaming = stream_kernels(two_convolutions().model(), "g.onnx", {"k"});
  ASSERT_EQ(streaming.kernels.size(), 1U);
  EXPECT_EQ(streaming.kernels[0].name, "k");
  EXPECT_EQ(streaming.kernels[0].dims, (std::vector<std::int64_t>{256, 256, 3, 3}));
  const OnnxGraph graph = read_onnx_graph(streaming.model, "g.onnx");
  EXPECT_EQ(graph.op_counts, (OpCounts{{"Pad", 1}, {"Conv", 2}, {"vidrt.streaming::ReadWeight", 2}}));
  EXPECT_EQ(graph.opsets.at(kStreamingDomain), 1);
  ASSERT_EQ(graph.external.size(), 1U);
  EXPECT_EQ(graph.external[0].name, "held");
}

TEST(StreamedKernels, AreReadOnceThereIsWhatAConvolutionReads) {
  const std::string model = stream_kernels(two_convolutions().model(), "g.onnx", {"k"}).model;
  const auto reading = [](const std::string& after, const std::string& weight) {
    return ProtoWriter().bytes(1, after).bytes(2, weight).bytes(3, weight).bytes(4, kReadWeight).data();
  };
  // Of the first it is what the Pad reads, which ONNX Runtime may then take into the convolution.
  EXPECT_NE(model.find(reading("x", "y/weight")), std::string::npos);
  EXPECT_NE(model.find(reading("y", "z/weight")), std::string::npos);
  const ProtoWriter first = node("Conv", {"x.padded", "y/weight", "bias"}, "y").bytes(3, "first");
  EXPECT_NE(model.find(first.data().substr(0, 30)), std::string::npos);
}

TEST(StreamedKernels, NoNamesLeaveTheGraphAsItIs) {
  const std::string model = two_convolutions().model();
  EXPECT_EQ(stream_kernels(model, "g.onnx", {}).model, model);
}

TEST(StreamedKernels, AMalformedGraphIsAnErrorThatNamesTheFile) {
  const std::string model = two_convolutions().model();
  for (std::size_t end = 1; end < model.size() - 4; end += 7) {  // the last field is whole, or the graph is not
    const std::string error = message_of<BundleError>([&] { stream_kernels(model.substr(0, end), "g.onnx", {"k"}); });
    EXPECT_NE(error.find("g.onnx"), std::string::npos) << end;
  }
}

TEST(StreamedKernels, APadOrAConvWithoutInputsIsNoCrash) {
  Graph graph = two_convolutions();
  graph.node(node("Pad", {}, "p")).node(node("Conv", {}, "c")).node(node("Conv", {"p"}, "d"));
  const StreamingGraph streaming = stream_kernels(graph.model(), "g.onnx", {"k"});
  EXPECT_EQ(read_onnx_graph(streaming.model, "g.onnx").op_counts.at("vidrt.streaming::ReadWeight"), 2);
}

constexpr std::int64_t kChannels = 768;
constexpr std::size_t kElements = kChannels * kChannels;
constexpr std::size_t kOffset = 64;  // of a kernel in its file

// A denoiser of three convolutions over all of the latents' width: one over three axes, and two over two axes with one
// kernel. Kernels are stored in a type, each in a file of its own.
class KernelsInOnnxRuntime : public OrtTest, public ::testing::WithParamInterface<int> {
 protected:
  KernelsInOnnxRuntime() {
    store("weights/k3.bin", kernel(1));
    store("weights/k2.bin", kernel(2));
    toy.edit([&](nlohmann::json& manifest) {
      manifest["modules"]["denoiser"]["variants"][0]["storage"] = GetParam() == kOnnxFloat  ? "fp32"
                                                                  : GetParam() == kOnnxHalf ? "fp16"
                                                                                            : "bf16";
    });
    toy.replace_graph("denoiser", model());
  }

  void store(const std::string& location, const std::string& kernel) {
    const std::string bytes = std::string(kOffset, '\0') + kernel;
    toy.write(location, bytes);
    toy.edit([&](nlohmann::json& manifest) {
      manifest["data_files"][location] = {{"bytes", bytes.size()}, {"sha256", sha256_of(bytes)}};
      manifest["modules"]["denoiser"]["variants"][0]["data_files"].push_back(location);
    });
  }

  static std::size_t element_bytes() { return GetParam() == kOnnxFloat ? 4 : 2; }

  // Numbers that every type holds exactly.
  static std::string kernel(unsigned seed) {
    std::mt19937 random(seed);
    std::string bytes(kElements * element_bytes(), '\0');
    for (std::size_t i = 0; i < kElements; ++i) {
      const float value = static_cast<float>(static_cast<int>(random() % 255) - 127) / 2048.0f;
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof(bits));
      if (GetParam() == kOnnxBrain) bits >>= 16U;
      if (GetParam() == kOnnxHalf) bits = half(bits);
      std::memcpy(&bytes[i * element_bytes()], &bits, element_bytes());
    }
    return bytes;
  }

  // Of a number that is zero, or normal in half precision and held by it.
  static std::uint32_t half(std::uint32_t bits) {
    if ((bits & 0x7fffffffU) == 0) return bits >> 16U;
    return ((bits >> 16U) & 0x8000U) | (((bits & 0x7fffffffU) >> 13U) - (112U << 10U));
  }

  static ProtoWriter stored(const std::string& name, const std::vector<std::int64_t>& dims) {
    return tensor_proto(name, dims, GetParam(),
                        {{"location", "weights/" + name + ".bin"},
                         {"offset", std::to_string(kOffset)},
                         {"length", std::to_string(kElements * element_bytes())}});
  }

  static ProtoWriter shape(const std::string& name, const std::vector<std::int64_t>& dims) {
    ProtoWriter tensor;
    tensor.varint(1, dims.size()).varint(2, 7).bytes(8, name);
    for (const std::int64_t dim : dims) tensor.varint(7, static_cast<std::uint64_t>(dim));
    return tensor;
  }

  std::string model() const {
    const Variant variant = Bundle::open(toy.path()).module("denoiser").variants[0];
    Graph graph;
    graph.weight(stored("k3", {kChannels, kChannels, 1, 1, 1}));
    graph.weight(stored("k2", {kChannels, kChannels, 1, 1}));
    graph.weight(shape("flat", {1, kChannels, 2, 2})).weight(shape("deep", {1, kChannels, 4, 1, 1}));
    const bool narrow = GetParam() != kOnnxFloat;
    if (narrow) graph.node(cast("k3", "k3.f")).node(cast("k2", "k2.f"));
    const std::string k3 = narrow ? "k3.f" : "k3", k2 = narrow ? "k2.f" : "k2";
    graph.node(transpose("latents", "x", {0, 4, 1, 2, 3})).node(node("Conv", {"x", k3}, "a"));
    graph.node(node("Reshape", {"a", "flat"}, "b")).node(node("Conv", {"b", k2}, "c"));
    graph.node(node("Sigmoid", {"c"}, "s"))
        .node(node("Conv", {"s", k2}, "d"))
        .node(node("Reshape", {"d", "deep"}, "e"));
    graph.node(transpose("e", "prediction", {0, 2, 3, 4, 1}));
    graph.writer.bytes(2, "convolutions");
    for (const TensorSpec& spec : variant.inputs) graph.writer.message(11, value_info_proto(spec));
    for (const TensorSpec& spec : variant.outputs) graph.writer.message(12, value_info_proto(spec));
    return model_proto(graph.writer, variant.opset).data();
  }

  std::unique_ptr<Session> load(std::uint64_t streamed_bytes, bool profile = false) const {
    const Bundle bundle = Bundle::open(toy.path());
    SessionOptions options;
    options.threads = 2;
    options.streamed_bytes = streamed_bytes;
    options.profile_layers = profile;
    return make_backend("onnxruntime", "cpu")
        ->load({bundle, "denoiser", bundle.module("denoiser").variants[0], {}}, options);
  }

  static std::vector<float> run(Session& session) {
    std::vector<float> latents(4 * kChannels), prediction(4 * kChannels), timestep(1), text(16 * 6);
    std::vector<std::int64_t> mask(16);
    for (std::size_t i = 0; i < latents.size(); ++i) latents[i] = std::sin(static_cast<float>(i));
    session.run({{"latents", {latents.data(), DType::kFloat32, {1, 4, 1, 1, kChannels}}},
                 {"timestep", {timestep.data(), DType::kFloat32, {1, 1}}},
                 {"text_embeds", {text.data(), DType::kFloat32, {1, 16, 6}}},
                 {"text_mask", {mask.data(), DType::kInt64, {1, 16}}}},
                {{"prediction", {prediction.data(), DType::kFloat32, {1, 4, 1, 1, kChannels}}}}, {});
    return prediction;
  }

  static constexpr std::uint64_t kAll = std::uint64_t{1} << 40U;
  ToyBundle toy;
};

TEST_P(KernelsInOnnxRuntime, GiveTheSameResults) {
  const std::vector<float> held = run(*load(0));
  const auto streaming = load(kAll);
  for (int again = 0; again < 2; ++again) {
    const std::vector<float> streamed = run(*streaming);
    double largest = 0.0;
    for (std::size_t i = 0; i < held.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(held[i])));
      ASSERT_NEAR(streamed[i], held[i], 4e-6) << i;  // sums of 768, in another order
    }
    EXPECT_GT(largest, 0.1);
  }
}

TEST_P(KernelsInOnnxRuntime, AreReadInEveryRunAndNotBefore) {
  const auto session = load(kAll, true);
  for (int again = 0; again < 3; ++again) run(*session);
  const ModuleProfile profile = session->take_layer_times().profile();
  const auto reading = std::count_if(profile.layers.begin(), profile.layers.end(),
                                     [](const LayerTime& layer) { return layer.type == kReadWeight; });
  EXPECT_EQ(profile.runs, 3);
  EXPECT_EQ(reading, 3);  // one to each convolution
}

TEST_P(KernelsInOnnxRuntime, AreInMemoryOneAtATime) {
  const auto session = load(kAll);
  BlockPool& pool = ort_environment().activations();
  pool.trim();
  const std::uint64_t before = pool.usage().peak;
  run(*session);
  const std::uint64_t grown = pool.usage().peak - before;
  EXPECT_GE(grown, kElements * sizeof(float));
  EXPECT_LT(grown, kElements * sizeof(float) * 5 / 4);
}

// Of a mapped file what counts as the process's memory.
std::int64_t resident_kib_of(const std::string& file) {
  std::ifstream maps("/proc/self/smaps");
  std::int64_t kib = 0;
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) ours = line.find(file) != std::string::npos;  // a range of addresses
    if (ours && line.rfind("Rss:", 0) == 0) kib += std::stoll(line.substr(4));
  }
  return kib;
}

TEST_P(KernelsInOnnxRuntime, LeaveNoPagesOfTheFileBehind) {
  const auto session = load(kAll);
  for (int again = 0; again < 2; ++again) run(*session);
  EXPECT_LT(resident_kib_of("weights/k2.bin"), 200);  // what lies around it
  EXPECT_LT(resident_kib_of("weights/k3.bin"), 200);
}

TEST_P(KernelsInOnnxRuntime, AreHeldOnceWhereTheyAreStoredAsFloat32) {
  if (GetParam() != kOnnxFloat) GTEST_SKIP() << "others are widened to memory of their own";
  const auto session = load(0);
  constexpr std::int64_t kKib = kElements * sizeof(float) / 1024;
  const auto expect_held = [&] {
    EXPECT_GE(resident_kib_of("weights/k3.bin"), kKib);
#if defined(__x86_64__)
    EXPECT_LT(resident_kib_of("weights/k2.bin"), 200);  // there is a reordered copy
#else
    EXPECT_GE(resident_kib_of("weights/k2.bin"), kKib);
#endif
  };
  expect_held();  // before the first run: what is measured in a run is no weight
  run(*session);
  expect_held();
}

TEST_P(KernelsInOnnxRuntime, ThePlanCountsWhatStays) {
  const Bundle bundle = Bundle::open(toy.path());
  const auto backend = make_backend("onnxruntime", "cpu");
  const ModuleNeeds needs = backend->needs({bundle, "denoiser", bundle.module("denoiser").variants[0], {}});
#if defined(__x86_64__)
  // Both, less the one that is being used. What is stored as float32 is reordered from the file.
  const std::uint64_t over_two_axes = GetParam() == kOnnxFloat ? 4U : 8U;
  EXPECT_EQ(needs.streamable_bytes, (over_two_axes + 4U - 4U) * kElements);
#endif
  EXPECT_GE(needs.weight_bytes - needs.streamable_bytes, 4U * kElements);
}

std::string name_of_type(const ::testing::TestParamInfo<int>& type) {
  return type.param == kOnnxFloat ? "Float32" : type.param == kOnnxHalf ? "Float16" : "BFloat16";
}

INSTANTIATE_TEST_SUITE_P(Stored, KernelsInOnnxRuntime, ::testing::Values(kOnnxFloat, kOnnxHalf, kOnnxBrain),
                         name_of_type);

}  // namespace
}  // namespace vidrt::testing
