// Convolution kernels that are read from their file in every run: what becomes of the graph, its results and its
// memory.
#include "runtime/streamed_kernels.h"

#include <algorithm>
#include <cmath>

#include "onnxruntime/ort_environment.h"
#include "support/onnx_writer.h"
#include "support/small_graph.h"
#include "support/stored_kernels.h"
#include "support/throws.h"

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

// A denoiser of three convolutions over all of the latents' width: one over three axes, and two over two axes with one
// kernel.
class KernelsInOnnxRuntime : public StoredKernels {
 protected:
  static constexpr std::size_t kElements = kChannels * kChannels;

  KernelsInOnnxRuntime() {
    store("k3", kElements, 1);
    store("k2", kElements, 2);
    Graph graph;
    graph.weight(stored("k3", {kChannels, kChannels, 1, 1, 1})).weight(stored("k2", {kChannels, kChannels, 1, 1}));
    graph.weight(shape("flat", {1, kChannels, 2, 2})).weight(shape("deep", {1, kChannels, 4, 1, 1}));
    if (narrow()) graph.node(cast("k3", "k3.f")).node(cast("k2", "k2.f"));
    const std::string k3 = narrow() ? "k3.f" : "k3", k2 = narrow() ? "k2.f" : "k2";
    graph.node(transpose("latents", "x", {0, 4, 1, 2, 3})).node(node("Conv", {"x", k3}, "a"));
    graph.node(node("Reshape", {"a", "flat"}, "b")).node(node("Conv", {"b", k2}, "c"));
    graph.node(node("Sigmoid", {"c"}, "s")).node(node("Conv", {"s", k2}, "d"));
    graph.node(node("Reshape", {"d", "deep"}, "e")).node(transpose("e", "prediction", {0, 2, 3, 4, 1}));
    use(graph);
  }
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
#if defined(__x86_64__)
  // Both, less the one that is being used. What is stored as float32 is reordered from the file.
  const std::uint64_t over_two_axes = GetParam() == kOnnxFloat ? 4U : 8U;
  EXPECT_EQ(needs().streamable_bytes, (over_two_axes + 4U - 4U) * kElements);
#endif
  EXPECT_GE(needs().weight_bytes - needs().streamable_bytes, 4U * kElements);
}

INSTANTIATE_TEST_SUITE_P(Stored, KernelsInOnnxRuntime, ::testing::Values(kOnnxFloat, kOnnxHalf, kOnnxBrain),
                         name_of_stored_type);

}  // namespace
}  // namespace vidrt::testing
