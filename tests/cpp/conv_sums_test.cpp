// Convolutions that our own operator does: which they are, and what becomes of a graph with them.
#include "runtime/conv_sums.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/onnx_graph.h"
#include "support/onnx_writer.h"
#include "support/small_graph.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using OpCounts = std::map<std::string, std::int64_t>;
using Sums = std::vector<std::set<std::size_t>>;

const std::vector<std::int64_t> kDims = {16, 8, 3, 3};

ProtoWriter numbers(const std::string& name, const std::vector<std::uint64_t>& values) {
  ProtoWriter attribute;
  attribute.bytes(1, name);
  for (const std::uint64_t value : values) attribute.varint(8, value);
  return attribute.varint(20, 7);
}

ProtoWriter number(const std::string& name, std::uint64_t value) {
  return ProtoWriter().bytes(1, name).varint(3, value).varint(20, 2);
}

ProtoWriter conv(const std::vector<std::string>& inputs, const std::string& output) {
  return node("Conv", inputs, output).message(5, numbers("pads", {1, 1, 1, 1}));
}

ConvSumGraph sum(const Graph& graph) { return sum_convolutions(graph.model(), "g.onnx"); }

OpCounts ops(const ConvSumGraph& graph) { return read_onnx_graph(graph.model, "g.onnx").op_counts; }

// y = conv(a, k0) + bias + conv(b, k1) + conv(c, k2), as a causal convolution over three frames is exported.
Graph causal(int data_type = kOnnxFloat) {
  Graph graph;
  for (const std::string name : {"k0", "k1", "k2"}) {
    graph.weight(stored_weight(name, data_type, kDims));
    if (data_type != kOnnxFloat) graph.node(cast(name, name + ".f"));
  }
  const std::string suffix = data_type == kOnnxFloat ? "" : ".f";
  graph.node(conv({"a", "k0" + suffix, "bias"}, "p")).node(conv({"b", "k1" + suffix}, "q"));
  graph.node(node("Add", {"p", "q"}, "r")).node(conv({"c", "k2" + suffix}, "s"));
  return graph.node(node("Add", {"r", "s"}, "y")).output("y");
}

TEST(ConvSums, ACausalConvolutionBecomesOneNode) {
  for (const int data_type : {kOnnxFloat, kOnnxHalf, kOnnxBrain}) {
    const ConvSumGraph summed = sum(causal(data_type));
    EXPECT_EQ(ops(summed), (OpCounts{{"vidrt.streaming::ConvSum", 1}}));
    EXPECT_EQ(summed.sums, (Sums{{0, 1, 2}}));
    ASSERT_EQ(summed.kernels.size(), 3U);
    EXPECT_EQ(summed.kernels[1].name, "k1");
    EXPECT_EQ(summed.kernels[1].data_type, data_type);
    EXPECT_EQ(summed.kernels[1].dims, kDims);
    const OnnxGraph graph = read_onnx_graph(summed.model, "g.onnx");
    EXPECT_TRUE(graph.external.empty());
    EXPECT_EQ(graph.opsets.at("vidrt.streaming"), 1);
    const std::string inputs =
        ProtoWriter().bytes(1, "a").bytes(1, "b").bytes(1, "c").bytes(1, "bias").bytes(2, "y").data();
    EXPECT_NE(summed.model.find(inputs), std::string::npos);
  }
}

TEST(ConvSums, AConvolutionOfAClipIsOneNodeWithTheFramesOfItsKernel) {
  Graph graph;
  graph.weight(stored_weight("k", kOnnxFloat, {16, 8, 3, 3, 3}));
  graph.node(node("Conv", {"x", "k", "b"}, "y").message(5, numbers("pads", {0, 1, 1, 0, 1, 1})));
  graph.node(node("Add", {"y", "y2"}, "z")).output("z");
  const ConvSumGraph summed = sum(graph);
  EXPECT_EQ(ops(summed), (OpCounts{{"vidrt.streaming::ConvSum", 1}, {"Add", 1}}));
  EXPECT_EQ(summed.sums, (Sums{{0}}));
  EXPECT_NE(summed.model.find(ProtoWriter().bytes(1, "x").bytes(1, "b").bytes(2, "y").data()), std::string::npos);
  EXPECT_NE(summed.model.find(numbers("kernels", {0, 0, 0}).data()), std::string::npos);
  EXPECT_NE(summed.model.find(numbers("frames", {0, 1, 2}).data()), std::string::npos);
}

ProtoWriter index_tensor(const std::string& name, std::uint64_t value) {
  return ProtoWriter().varint(1, 1).varint(2, 7).bytes(8, name).varint(7, value);
}

// A kernel over three frames, of which the first and the last are convolved with.
Graph sliced(std::uint64_t end = 3, std::uint64_t axis = 2, std::uint64_t step = 1) {
  Graph graph;
  graph.weight(stored_weight("k", kOnnxHalf, {16, 8, 3, 3, 3}));
  for (const std::uint64_t value : {0, 1, 2, 3}) graph.weight(index_tensor("i" + std::to_string(value), value));
  const auto i = [](std::uint64_t value) { return "i" + std::to_string(value); };
  graph.node(cast("k", "k.f")).node(node("Slice", {"k.f", "i0", "i1", "i2"}, "s0"));
  graph.node(node("Slice", {"k.f", "i2", i(end), i(axis), i(step)}, "s2"));
  graph.node(node("Squeeze", {"s0", "i2"}, "k0")).node(node("Squeeze", {"s2", "i2"}, "k2"));
  graph.node(conv({"a", "k0"}, "p")).node(conv({"b", "k2"}, "q"));
  return graph.node(node("Add", {"p", "q"}, "y")).output("y");
}

TEST(ConvSums, FramesOfAKernelAreReadWhereTheyLie) {
  const ConvSumGraph summed = sum(sliced());
  EXPECT_EQ(ops(summed), (OpCounts{{"vidrt.streaming::ConvSum", 1}}));
  EXPECT_EQ(summed.sums, (Sums{{0}}));
  ASSERT_EQ(summed.kernels.size(), 1U);
  EXPECT_EQ(summed.kernels[0].name, "k");
  EXPECT_TRUE(read_onnx_graph(summed.model, "g.onnx").external.empty());
  EXPECT_NE(summed.model.find(numbers("kernels", {0, 0}).data()), std::string::npos);
  EXPECT_NE(summed.model.find(numbers("frames", {0, 2}).data()), std::string::npos);
  EXPECT_EQ(summed.weights()[0].staged_bytes, 2U * 16 * 8 * 27);  // once, however often a node reads it
}

TEST(ConvSums, OtherSlicesStay) {
  const auto kept = [](const Graph& graph) { return ops(sum(graph)).at("Slice"); };
  EXPECT_EQ(kept(sliced(2)), 1);        // of no frame
  EXPECT_EQ(kept(sliced(3, 1)), 1);     // along another axis
  EXPECT_EQ(kept(sliced(3, 2, 2)), 1);  // every other
  EXPECT_EQ(kept(sliced().node(node("Neg", {"s2"}, "z"))), 1);
  EXPECT_EQ(kept(sliced().output("k0")), 1);
}

TEST(ConvSums, OneStandsWhereItsLastPartStood) {
  Graph graph = causal();
  graph.node(node("Neg", {"y"}, "z"));
  const std::string model = sum(graph).model;
  EXPECT_LT(model.find("ConvSum"), model.find("Neg"));
}

TEST(ConvSums, ConvolutionsThatAreNotAddedAreNodesOfTheirOwn) {
  Graph graph;
  graph.weight(stored_weight("k", kOnnxFloat, kDims));
  graph.node(conv({"x", "k"}, "y")).node(node("Relu", {"y"}, "z")).node(conv({"z", "k", "b"}, "w")).output("w");
  const ConvSumGraph summed = sum(graph);
  EXPECT_EQ(ops(summed), (OpCounts{{"vidrt.streaming::ConvSum", 2}, {"Relu", 1}}));
  EXPECT_EQ(summed.sums, (Sums{{0}, {0}}));
  EXPECT_EQ(summed.kernels.size(), 1U);
}

// The Add stays, between two nodes of ours.
void expect_not_joined(const Graph& graph, const std::string& why) {
  const OpCounts counts = ops(sum(graph));
  EXPECT_EQ(counts.at("Add"), 1) << why;
  EXPECT_EQ(counts.at("vidrt.streaming::ConvSum"), 2) << why;
}

Graph two(const ProtoWriter& second_kernel, const std::vector<std::string>& second_inputs = {"b", "k1"}) {
  Graph graph;
  graph.weight(stored_weight("k0", kOnnxFloat, kDims)).weight(second_kernel);
  graph.node(conv({"a", "k0", "bias"}, "p")).node(conv(second_inputs, "q"));
  return graph.node(node("Add", {"p", "q"}, "y")).output("y");
}

TEST(ConvSums, WhatCannotBeOneSumStaysTwo) {
  const ProtoWriter same = stored_weight("k1", kOnnxFloat, kDims);
  EXPECT_EQ(ops(sum(two(same))), (OpCounts{{"vidrt.streaming::ConvSum", 1}}));
  expect_not_joined(two(same).node(node("Neg", {"q"}, "z")), "somebody else wants a part");
  expect_not_joined(two(same).output("p"), "so does whoever runs the graph");
  expect_not_joined(two(same, {"b", "k1", "bias2"}), "two biases");
  expect_not_joined(two(stored_weight("k1", kOnnxFloat, {32, 8, 3, 3})), "outputs that do not match");
  Graph narrow;
  narrow.weight(stored_weight("k0", kOnnxFloat, kDims)).weight(stored_weight("k1", kOnnxHalf, kDims));
  narrow.node(cast("k1", "k1.f")).node(conv({"a", "k0"}, "p")).node(conv({"b", "k1.f"}, "q"));
  expect_not_joined(narrow.node(node("Add", {"p", "q"}, "y")).output("y"), "kernels of two types");
  Graph doubled;
  doubled.weight(stored_weight("k0", kOnnxFloat, kDims)).node(conv({"a", "k0"}, "p"));
  doubled.node(node("Add", {"p", "p"}, "y")).output("y");
  EXPECT_EQ(ops(sum(doubled)), (OpCounts{{"vidrt.streaming::ConvSum", 1}, {"Add", 1}}));
}

// Nothing of the graph changes.
void expect_unchanged(const Graph& graph, const std::string& why) {
  const ConvSumGraph summed = sum(graph);
  EXPECT_EQ(summed.model, graph.model()) << why;
  EXPECT_TRUE(summed.sums.empty()) << why;
}

Graph one(const ProtoWriter& kernel, const ProtoWriter& convolution) {
  return Graph().weight(kernel).node(convolution).output("y");
}

TEST(ConvSums, OtherConvolutionsStay) {
  const ProtoWriter kernel = stored_weight("k", kOnnxFloat, kDims);
  const std::vector<std::string> inputs = {"x", "k"};
  EXPECT_EQ(sum(one(kernel, conv(inputs, "y"))).sums.size(), 1U);
  expect_unchanged(one(kernel, node("Conv", inputs, "y")), "no border");
  expect_unchanged(one(kernel, node("Conv", inputs, "y").message(5, numbers("pads", {0, 1, 1, 1}))), "half a border");
  expect_unchanged(one(kernel, conv(inputs, "y").message(5, numbers("strides", {2, 2}))), "strides");
  expect_unchanged(one(kernel, conv(inputs, "y").message(5, numbers("dilations", {1, 2}))), "dilations");
  expect_unchanged(one(kernel, conv(inputs, "y").message(5, number("group", 2))), "groups");
  expect_unchanged(
      one(kernel,
          conv(inputs, "y").message(5, ProtoWriter().bytes(1, "auto_pad").bytes(4, "SAME_UPPER").varint(20, 3))),
      "a border by another word");
  expect_unchanged(one(kernel, conv(inputs, "y").bytes(7, "other")), "of another domain");
  expect_unchanged(one(stored_weight("k", kOnnxFloat, {16, 4, 3, 3}), conv(inputs, "y")), "few channels");
  expect_unchanged(one(stored_weight("k", kOnnxFloat, {4, 16, 3, 3}), conv(inputs, "y")), "few outputs");
  expect_unchanged(one(stored_weight("k", kOnnxFloat, {16, 8, 1, 1}), conv(inputs, "y")), "1x1");
  const ProtoWriter deep = stored_weight("k", kOnnxFloat, {16, 8, 3, 3, 3});
  expect_unchanged(one(deep, conv(inputs, "y")), "a border of two axes for three");
  expect_unchanged(one(deep, node("Conv", inputs, "y").message(5, numbers("pads", {1, 1, 1, 1, 1, 1}))),
                   "frames beyond the clip");
  expect_unchanged(one(stored_weight("k", kOnnxFloat, kDims, 4), conv(inputs, "y")), "of no alignment");
  expect_unchanged(one(stored_weight("k", kOnnxHalf, kDims), conv(inputs, "y")), "in half precision");
  expect_unchanged(one(stored_weight("k", 5, kDims), conv(inputs, "y")), "of integers");
  const ProtoWriter branch = ProtoWriter().bytes(1, "then_branch").message(6, ProtoWriter()).varint(20, 5);
  expect_unchanged(one(kernel, conv(inputs, "y")).node(node("If", {"c"}, "z").message(5, branch)), "subgraphs");
}

TEST(ConvSums, AKernelThatOthersReadStaysInTheGraph) {
  Graph graph = one(stored_weight("k", kOnnxFloat, kDims), conv({"x", "k"}, "y"));
  graph.node(node("Neg", {"k"}, "n"));
  const ConvSumGraph summed = sum(graph);
  EXPECT_EQ(summed.kernels.size(), 1U);
  EXPECT_EQ(read_onnx_graph(summed.model, "g.onnx").external.size(), 1U);
  Graph narrow = Graph().weight(stored_weight("k", kOnnxHalf, kDims)).node(cast("k", "k.f"));
  narrow.node(conv({"x", "k.f"}, "y")).output("y").node(node("Neg", {"k.f"}, "n"));
  EXPECT_EQ(ops(sum(narrow)), (OpCounts{{"Cast", 1}, {"vidrt.streaming::ConvSum", 1}, {"Neg", 1}}));
}

TEST(ConvSums, WhatTheirKernelsTakeIsKnown) {
  Graph graph;
  graph.weight(stored_weight("k0", kOnnxHalf, {256, 256, 3, 3})).weight(stored_weight("k1", kOnnxHalf, {256, 8, 3, 3}));
  graph.node(cast("k0", "k0.f")).node(cast("k1", "k1.f"));
  graph.node(conv({"a", "k0.f"}, "p")).node(conv({"b", "k1.f"}, "q")).node(node("Add", {"p", "q"}, "y"));
  const std::vector<StreamableWeight> weights = sum(graph.output("y")).weights();
  ASSERT_EQ(weights.size(), 2U);
  constexpr std::uint64_t kLarge = 256 * 256 * 9, kSmall = 256 * 8 * 9;
  EXPECT_EQ(weights[0].name, "k0");
  EXPECT_EQ(weights[0].stored_bytes, 2 * kLarge);
  EXPECT_EQ(weights[0].float_bytes, 4 * kLarge);
  EXPECT_EQ(weights[0].packed_bytes, 0U);
  EXPECT_EQ(weights[0].saved_bytes(), 2 * kLarge);
  EXPECT_EQ(weights[0].staged_bytes, 2 * (kLarge + kSmall));  // one node reads both
  EXPECT_EQ(weights[1].saved_bytes(), 2 * kSmall);
}

TEST(ConvSums, AMalformedGraphIsAnErrorThatNamesTheFile) {
  const std::string model = causal().model();
  for (std::size_t end = 1; end < model.size() - 4; end += 7) {  // the last field is whole, or the graph is not
    const std::string error = message_of<BundleError>([&] { sum_convolutions(model.substr(0, end), "g.onnx"); });
    EXPECT_NE(error.find("g.onnx"), std::string::npos) << end;
  }
}

TEST(ConvSums, NodesWithoutInputsAreNoCrash) {
  Graph graph = causal();
  graph.node(node("Conv", {}, "c")).node(node("Conv", {"c"}, "d")).node(node("Add", {"d"}, "e"));
  EXPECT_EQ(ops(sum(graph)).at("Conv"), 2);
}

}  // namespace
}  // namespace vidrt::testing
