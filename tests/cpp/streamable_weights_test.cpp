// Weights that are used as they lie in the file: which they are, and what becomes of a graph with matrices.
#include "runtime/streamable_weights.h"

#include <cmath>
#include <cstring>
#include <random>

#include "kernels/cpu_isa.h"
#include "runtime/backends.h"
#include "runtime/lifted_graph.h"
#include "runtime/sha256.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/small_graph.h"
#include "support/toy_bundle.h"

namespace vidrt::testing {
namespace {

constexpr int kFloat = kOnnxFloat, kHalf = kOnnxHalf, kBrain = kOnnxBrain;
constexpr std::int64_t kSide = 768;

ProtoWriter matrix(const std::string& name, int data_type, std::int64_t side = kSide, int offset = 64) {
  return stored_weight(name, data_type, {side, side}, offset);
}

// y = x W^T, with W stored in bfloat16.
Graph linear() {
  Graph graph;
  graph.weight(matrix("w", kBrain)).node(cast("w", "w.f")).node(transpose("w.f", "w.t"));
  graph.node(node("MatMul", {"x", "w.t"}, "y")).output("y");
  return graph;
}

std::vector<std::string> found(const Graph& graph) {
  std::vector<std::string> names;
  for (const StreamableWeight& one : streamable_weights(graph.model(), "g.onnx")) names.push_back(one.name);
  return names;
}

TEST(StreamableWeights, OfALinearLayerAreFoundWithWhatTheySave) {
  const std::vector<StreamableWeight> found = streamable_weights(linear().model(), "g.onnx");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "w");
  EXPECT_EQ(found[0].stored_bytes, 2U * kSide * kSide);
  EXPECT_EQ(found[0].held_bytes, 4U * kSide * kSide);
  EXPECT_EQ(found[0].packed_bytes, 4U * kSide * kSide);
  EXPECT_EQ(found[0].saved_bytes(), 6U * kSide * kSide);
}

TEST(StreamableWeights, MayBeFloatAndUntransposedAndReadTwice) {
  Graph graph;
  graph.weight(matrix("a", kFloat)).node(node("MatMul", {"x", "a"}, "y")).node(node("MatMul", {"y", "a"}, "z"));
  EXPECT_EQ(found(graph), (std::vector<std::string>{"a"}));
}

TEST(StreamableWeights, WhatIsUsedOtherwiseIsNone) {
  EXPECT_TRUE(found(Graph().weight(matrix("w", kFloat, 256)).node(node("MatMul", {"x", "w"}, "y"))).empty());  // small
  EXPECT_TRUE(found(Graph().weight(matrix("w", kFloat, kSide, 4)).node(node("MatMul", {"x", "w"}, "y"))).empty());
  EXPECT_TRUE(
      found(Graph().weight(matrix("w", kFloat)).node(node("MatMul", {"w", "x"}, "y"))).empty());  // from the left
  EXPECT_TRUE(found(Graph().weight(matrix("w", kFloat)).node(node("MatMul", {"w", "w"}, "y"))).empty());
  EXPECT_TRUE(found(Graph().weight(matrix("w", kHalf)).node(node("MatMul", {"x", "w"}, "y"))).empty());  // in half
  EXPECT_TRUE(found(linear().node(node("Gather", {"w.f", "i"}, "z"))).empty());
  EXPECT_TRUE(found(linear().output("w.t")).empty());
  EXPECT_TRUE(found(linear().input("w")).empty());
  Graph twice;
  twice.weight(matrix("w", kFloat)).node(transpose("w", "t")).node(transpose("t", "u"));
  EXPECT_TRUE(found(twice.node(node("MatMul", {"x", "u"}, "y"))).empty());
  const ProtoWriter branch = ProtoWriter().bytes(1, "then_branch").message(6, ProtoWriter()).varint(20, 5);
  EXPECT_TRUE(found(linear().node(node("If", {"c"}, "z").message(5, branch))).empty());
}

// y = conv(x, k), with k stored in a type.
Graph convolution(int data_type, const std::vector<std::int64_t>& dims, int offset = 64) {
  Graph graph;
  graph.weight(stored_weight("k", data_type, dims, offset));
  if (data_type != kFloat) graph.node(cast("k", "k.f"));
  return graph.node(node("Conv", {"x", data_type == kFloat ? "k" : "k.f", "bias"}, "y")).output("y");
}

TEST(StreamableWeights, OfAConvolutionAreFoundWithWhatTheySave) {
  constexpr std::uint64_t kElements = 256 * 256 * 9;
  for (const int data_type : {kFloat, kHalf, kBrain}) {
    for (const std::vector<std::int64_t>& dims : {std::vector<std::int64_t>{256, 256, 3, 3}, {256, 256, 9, 1, 1}}) {
      const auto found = streamable_weights(convolution(data_type, dims).model(), "g.onnx");
      ASSERT_EQ(found.size(), 1U) << data_type;
      EXPECT_EQ(found[0].name, "k");
      EXPECT_EQ(found[0].use, StreamableWeight::Use::kKernel);
      EXPECT_EQ(found[0].stored_bytes, kElements * (data_type == kFloat ? 4U : 2U));
      EXPECT_EQ(found[0].float_bytes, kElements * 4U);
      EXPECT_EQ(found[0].staged_bytes, kElements * 4U);
      EXPECT_EQ(found[0].saved_bytes(), found[0].held_bytes + found[0].packed_bytes);
#if defined(__x86_64__)
      const bool packed = dims.size() == 4;
      EXPECT_EQ(found[0].packed_bytes, packed ? kElements * 4U : 0U);
      EXPECT_EQ(found[0].held_bytes, packed && data_type == kFloat ? 0U : kElements * 4U);  // packed from the file
#endif
    }
  }
}

TEST(StreamableWeights, KernelsThatAreUsedOtherwiseAreNone) {
  const std::vector<std::int64_t> large = {256, 256, 3, 3};
  EXPECT_TRUE(found(convolution(kFloat, {128, 128, 3, 3})).empty());
  EXPECT_TRUE(found(convolution(kFloat, large, 4)).empty());          // such a place is left to the backend
  EXPECT_TRUE(found(convolution(kFloat, {65536, 1, 3, 3})).empty());  // depthwise
  EXPECT_TRUE(found(convolution(kFloat, {256, 256, 9})).empty());     // over one axis
  EXPECT_TRUE(found(convolution(kHalf, large).output("k.f")).empty());
  EXPECT_TRUE(found(convolution(kHalf, large).input("k")).empty());
  EXPECT_TRUE(found(convolution(kFloat, large).node(node("Neg", {"k"}, "z"))).empty());
  EXPECT_TRUE(found(convolution(kFloat, large).node(node("Conv", {"k", "w"}, "z"))).empty());  // as what is convolved
  EXPECT_TRUE(found(convolution(kFloat, large).node(node("Conv", {"", "k"}, "z"))).empty());
  EXPECT_TRUE(found(convolution(kFloat, large).node(node("ConvTranspose", {"x", "k"}, "z"))).empty());
  EXPECT_TRUE(found(convolution(kFloat, large).node(node("Conv", {"x", "k"}, "z").bytes(7, "vidrt"))).empty());
  Graph in_half;
  in_half.weight(stored_weight("k", kHalf, large)).node(node("Conv", {"x", "k"}, "y"));
  EXPECT_TRUE(found(in_half).empty());
  EXPECT_EQ(found(convolution(kFloat, large).node(node("Conv", {"z", "k"}, "z"))), std::vector<std::string>{"k"});
}

TEST(StreamableWeights, ThoseThatCostLeastTimeComeFirst) {
  Graph graph = linear();
  graph.weight(stored_weight("k2", kFloat, {256, 256, 3, 3})).node(node("Conv", {"x", "k2"}, "a"));
  graph.weight(stored_weight("k3", kFloat, {256, 256, 3, 3, 3})).node(node("Conv", {"x", "k3"}, "b"));
#if defined(__x86_64__)
  EXPECT_EQ(found(graph), (std::vector<std::string>{"k3", "w", "k2"}));
#else
  EXPECT_EQ(found(graph), (std::vector<std::string>{"k2", "k3", "w"}));  // nothing reorders k2
#endif
}

TEST(StreamableWeights, TheFirstThatSaveEnoughAreTaken) {
  constexpr auto kMatrix = StreamableWeight::Use::kMatrix;
  constexpr auto kKernel = StreamableWeight::Use::kKernel;
  const std::vector<StreamableWeight> weights = {{"a", kMatrix, 1, 4, 4, 4, 0},
                                                 {"b", kMatrix, 1, 4, 4, 4, 0},
                                                 {"k", kKernel, 1, 4, 4, 4, 4},
                                                 {"l", kKernel, 1, 8, 8, 8, 8}};
  using Names = std::set<std::string>;
  const auto matrices = [&](std::uint64_t bytes) { return weights_that_save(weights, bytes).matrices; };
  const auto kernels = [&](std::uint64_t bytes) { return weights_that_save(weights, bytes).kernels; };
  EXPECT_EQ(matrices(0), Names{});
  EXPECT_EQ(matrices(7), Names{"a"});
  EXPECT_EQ(matrices(8), (Names{"a", "b"}));
  EXPECT_EQ(kernels(14), Names{});
  EXPECT_EQ(kernels(18), Names{"k"});  // 8 of it, of which 4 are in memory while it is used
  EXPECT_EQ(kernels(19), (Names{"k", "l"}));
  EXPECT_EQ(kernels(1000), (Names{"k", "l"}));
  EXPECT_EQ(saved_together(weights), 14U + 24U - 8U);
  EXPECT_EQ(saved_together({}), 0U);
}

TEST(StreamableWeights, StayInTheGraphAsStored) {
  const LiftedGraph lifted = lift_weights(linear().model(), "g.onnx", {{"w"}, StoredProduct::kFusedMatMul});
  ASSERT_EQ(lifted.weights.size(), 1U);
  EXPECT_EQ(lifted.weights[0].name, "w");
  EXPECT_EQ(lifted.weights[0].dtype(), DType::kBFloat16);
  EXPECT_TRUE(lifted.weights[0].as_stored);
  const OnnxGraph graph = read_onnx_graph(lifted.model, "g.onnx");
  EXPECT_EQ(graph.op_counts, (std::map<std::string, std::int64_t>{{"Cast", 1}, {"com.microsoft::FusedMatMul", 1}}));
  EXPECT_EQ(graph.opsets.at("com.microsoft"), 1);
}

TEST(StreamableWeights, AreMultipliedByAsStoredByOurOwnProduct) {
  Graph graph = linear();
  graph.weight(stored_weight("v", kFloat, {kSide, kSide})).node(node("MatMul", {"y", "v"}, "z")).output("z");
  const LiftedGraph lifted = lift_weights(graph.model(), "g.onnx", {{"v", "w"}, StoredProduct::kOwnMatMul});
  ASSERT_EQ(lifted.weights.size(), 2U);
  EXPECT_EQ(lifted.weights[0].dtype(), DType::kFloat32);
  EXPECT_EQ(lifted.weights[1].dtype(), DType::kBFloat16);
  EXPECT_TRUE(lifted.weights[0].only_operand && lifted.weights[1].only_operand);
  const OnnxGraph read = read_onnx_graph(lifted.model, "g.onnx");
  EXPECT_EQ(read.op_counts, (std::map<std::string, std::int64_t>{{"vidrt::MatMul", 2}}));
  EXPECT_EQ(read.opsets.at("vidrt"), 1);
  EXPECT_NE(lifted.model.find("OI"), std::string::npos);  // of w, which was transposed
  EXPECT_NE(lifted.model.find("IO"), std::string::npos);
}

TEST(StreamableWeights, AKernelThatIsNotWidenedIsLeftInItsFileForWhoeverReordersIt) {
  const auto in_file = [](int data_type, const std::vector<std::int64_t>& dims) {
    return lift_weights(convolution(data_type, dims).model(), "g.onnx").weights.at(0).in_file;
  };
  EXPECT_TRUE(in_file(kFloat, {256, 256, 3, 3}));
  EXPECT_TRUE(in_file(kFloat, {256, 256, 3, 3, 3}));
  EXPECT_FALSE(in_file(kHalf, {256, 256, 3, 3}));
  EXPECT_FALSE(in_file(kFloat, {128, 128, 3, 3}));
  EXPECT_FALSE(in_file(kFloat, {1024, 1024}));
}

class MatricesInOnnxRuntime : public OrtTest {
 protected:
  MatricesInOnnxRuntime() : values(kSide * kSide) {
    std::mt19937 random(3);
    std::string bytes(2 * values.size(), '\0');
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(static_cast<int>(random() % 255) - 127) / 128.0f;  // exact in bfloat16
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[i], sizeof(bits));
      const auto brain = static_cast<std::uint16_t>(bits >> 16U);
      std::memcpy(&bytes[2 * i], &brain, sizeof(brain));
    }
    toy.write("weights/matrix.bin", bytes);
    toy.edit([&](nlohmann::json& manifest) {
      manifest["data_files"]["weights/matrix.bin"] = {{"bytes", bytes.size()}, {"sha256", sha256_of(bytes)}};
      nlohmann::json& variant = manifest["modules"]["denoiser"]["variants"][0];
      variant["data_files"].push_back("weights/matrix.bin");
      variant["storage"] = "bf16";
    });
    const Variant variant = Bundle::open(toy.path()).module("denoiser").variants[0];
    ProtoWriter graph;
    graph.message(
        5,
        tensor_proto("w", {kSide, kSide}, kBrain,
                     {{"location", "weights/matrix.bin"}, {"offset", "0"}, {"length", std::to_string(bytes.size())}}));
    graph.message(1, cast("w", "w.f")).message(1, transpose("w.f", "w.t"));
    graph.message(1, node("MatMul", {"latents", "w.t"}, "prediction")).bytes(2, "linear");
    for (const TensorSpec& spec : variant.inputs) graph.message(11, value_info_proto(spec));
    for (const TensorSpec& spec : variant.outputs) graph.message(12, value_info_proto(spec));
    toy.replace_graph("denoiser", model_proto(graph, variant.opset).data());
  }

  std::vector<float> run(Backend& backend, const Bundle& bundle, std::uint64_t streamed_bytes) const {
    SessionOptions options;
    options.threads = 1;
    options.streamed_bytes = streamed_bytes;
    const auto session = backend.load({bundle, "denoiser", bundle.module("denoiser").variants[0], {}}, options);
    std::vector<float> latents(4 * kSide), prediction(4 * kSide), timestep(1), text(16 * 6);
    std::vector<std::int64_t> mask(16);
    for (std::size_t i = 0; i < latents.size(); ++i) latents[i] = std::sin(static_cast<float>(i));
    session->run({{"latents", {latents.data(), DType::kFloat32, {1, 4, 1, 1, kSide}}},
                  {"timestep", {timestep.data(), DType::kFloat32, {1, 1}}},
                  {"text_embeds", {text.data(), DType::kFloat32, {1, 16, 6}}},
                  {"text_mask", {mask.data(), DType::kInt64, {1, 16}}}},
                 {{"prediction", {prediction.data(), DType::kFloat32, {1, 4, 1, 1, kSide}}}}, {});
    return prediction;
  }

  ToyBundle toy;
  std::vector<float> values;
};

TEST_F(MatricesInOnnxRuntime, GiveTheSameResultsInAThirdOfTheMemory) {
  const Bundle bundle = Bundle::open(toy.path());
  const auto backend = make_backend("onnxruntime", "cpu");
  const ModuleNeeds needs = backend->needs({bundle, "denoiser", bundle.module("denoiser").variants[0], {}});
  // Tiles multiply by what is stored without being asked to.
  EXPECT_EQ(needs.streamable_bytes, kernels::cpu_isa() == kernels::Isa::kAmx ? 0U : 6U * kSide * kSide);
  EXPECT_GE(needs.weight_bytes - needs.streamable_bytes, 2U * kSide * kSide);
  EXPECT_LT(needs.weight_bytes - needs.streamable_bytes, 3U * kSide * kSide);
  const std::vector<float> ready = run(*backend, bundle, 0);
  const std::vector<float> stored = run(*backend, bundle, needs.streamable_bytes);
  for (std::size_t row = 0; row < 4; ++row) {
    for (std::size_t column = 0; column < kSide; ++column) {
      double expected = 0.0;
      for (std::size_t k = 0; k < kSide; ++k) {
        expected += static_cast<double>(std::sin(static_cast<float>(row * kSide + k))) * values[column * kSide + k];
      }
      ASSERT_NEAR(ready[row * kSide + column], expected, 1e-4);
      ASSERT_NEAR(stored[row * kSide + column], expected, 1e-4);
    }
  }
}

}  // namespace
}  // namespace vidrt::testing
