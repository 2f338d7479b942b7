// The walker finds every tensor outside the file, wherever it hides, and refuses what it cannot judge.
#include "runtime/onnx_graph.h"

#include <gtest/gtest.h>

#include "support/onnx_writer.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

const Entries kEntries{{"location", "weights/w"}, {"offset", "64"}, {"length", "24"}};

ProtoWriter external(const std::string& name) { return tensor_proto(name, {2, 3}, 1, kEntries); }

OnnxGraph read(const ProtoWriter& graph) { return read_onnx_graph(model_proto(graph, 20).data(), "g.onnx"); }

std::string refused(const std::string& model) {
  return message_of<BundleError>([&] { read_onnx_graph(model, "g.onnx"); });
}

std::string refused_tensor(const ProtoWriter& tensor) {
  return refused(model_proto(ProtoWriter().message(5, tensor), 20).data());
}

ProtoWriter node_with_attribute(const ProtoWriter& attribute) {
  return ProtoWriter().bytes(4, "If").message(5, attribute);
}

TEST(OnnxGraph, ReadsAnInitialisersPlaceShapeAndType) {
  const OnnxGraph graph = read(ProtoWriter().message(5, external("w")));
  ASSERT_EQ(graph.external.size(), 1U);
  const ExternalTensor& tensor = graph.external[0];
  EXPECT_EQ(tensor.name, "w");
  EXPECT_EQ(tensor.location, "weights/w");
  EXPECT_EQ(tensor.offset, 64U);
  EXPECT_EQ(tensor.length, 24U);
  EXPECT_EQ(tensor.data_type, 1);
  EXPECT_EQ(tensor.dims, (std::vector<std::int64_t>{2, 3}));
}

TEST(OnnxGraph, FindsExternalTensorsWhereverTheyHide) {
  const ProtoWriter inner = ProtoWriter().message(5, external("subgraph"));
  const ProtoWriter sparse = ProtoWriter().message(1, external("values")).message(2, external("indices"));
  ProtoWriter graph;
  graph.message(5, external("initializer"));
  graph.message(15, sparse);
  graph.message(1, node_with_attribute(ProtoWriter().message(5, external("attribute"))));
  graph.message(1, node_with_attribute(ProtoWriter().message(10, external("list"))));
  graph.message(1, node_with_attribute(ProtoWriter().message(6, inner)));
  graph.message(1, node_with_attribute(ProtoWriter().message(11, inner)));
  graph.message(1, node_with_attribute(ProtoWriter().message(22, sparse)));
  graph.message(1, node_with_attribute(ProtoWriter().message(23, sparse)));
  const ProtoWriter node = node_with_attribute(ProtoWriter().message(5, external("function")));
  const ProtoWriter function = ProtoWriter()
                                   .bytes(1, "f")
                                   .bytes(10, "local")
                                   .message(7, node)
                                   .message(11, ProtoWriter().message(5, external("default")));
  const ProtoWriter training = ProtoWriter().message(1, ProtoWriter().message(5, external("init"))).message(2, inner);
  const std::string model = model_proto(graph, 20).message(25, function).message(20, training).data();
  std::multiset<std::string> found;
  for (const ExternalTensor& tensor : read_onnx_graph(model, "g.onnx").external) found.insert(tensor.name);
  EXPECT_EQ(found, (std::multiset<std::string>{"attribute", "default", "function", "indices", "indices", "indices",
                                               "init", "initializer", "list", "subgraph", "subgraph", "subgraph",
                                               "values", "values", "values"}));
}

TEST(OnnxGraph, PackedDimensionsAreDimensions) {
  ProtoWriter tensor;
  tensor.bytes(1, std::string("\x02\x03", 2)).varint(2, 1).bytes(8, "w").varint(14, 1);
  for (const auto& [key, value] : kEntries) tensor.message(13, ProtoWriter().bytes(1, key).bytes(2, value));
  EXPECT_EQ(read(ProtoWriter().message(5, tensor)).external.at(0).dims, (std::vector<std::int64_t>{2, 3}));
}

TEST(OnnxGraph, CountsOperatorsInSubgraphsTooAndTellsCustomOnes) {
  ProtoWriter graph;
  graph.message(1, node_proto("Conv")).message(1, node_proto("Conv", "ai.onnx"));
  graph.message(1, node_proto("DepthwiseConv3d", "vidrt")).message(1, node_proto("local_op", "local"));
  const ProtoWriter inner = ProtoWriter().message(1, node_proto("Add"));
  graph.message(1, node_with_attribute(ProtoWriter().message(6, inner)));
  const ProtoWriter function = ProtoWriter().bytes(1, "local_op").bytes(10, "local").message(7, node_proto("Mul"));
  const OnnxGraph read = read_onnx_graph(model_proto(graph, 20).message(25, function).data(), "g.onnx");
  EXPECT_EQ(
      read.op_counts,
      (std::map<std::string, std::int64_t>{
          {"Conv", 2}, {"vidrt::DepthwiseConv3d", 1}, {"local::local_op", 1}, {"If", 1}, {"Add", 1}, {"Mul", 1}}));
  EXPECT_EQ(read.custom_ops, std::set<std::string>{"vidrt::DepthwiseConv3d"});
  EXPECT_EQ(read.opsets, (std::map<std::string, std::int64_t>{{"", 20}}));
}

TEST(OnnxGraph, InitialisersListedAmongTheInputsAreNoInputs) {
  const std::vector<TensorSpec> inputs{{"x", DType::kFloat32, {"B"}}, {"w", DType::kFloat32, {"2", "3"}}};
  const OnnxGraph graph = read(graph_proto(inputs, {{"y", DType::kInt64, {"B"}}}, {{"w", {2, 3}, "f", 0, 24}}));
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.inputs[0].name, "x");
  EXPECT_EQ(graph.inputs[0].data_type, 1);
  EXPECT_EQ(graph.outputs.at(0).data_type, 7);
}

TEST(OnnxGraph, ALengthThatShapeAndTypeDoNotGiveIsRefused) {
  const auto with = [](std::vector<std::int64_t> dims, int type, const std::string& length) {
    return tensor_proto("w", dims, type, {{"location", "f"}, {"offset", "0"}, {"length", length}});
  };
  EXPECT_TRUE(names(refused_tensor(with({2, 3}, 1, "23")), {"g.onnx", "'w'", "23 external bytes", "24 by its shape"}));
  EXPECT_TRUE(names(refused_tensor(with({-1}, 1, "4")), {"a shape and type that can be stored"}));
  EXPECT_TRUE(names(refused_tensor(with({1ll << 40, 1ll << 40}, 1, "0")), {"that can be stored"}));
  EXPECT_TRUE(names(refused_tensor(with({2}, 8, "2")), {"that can be stored"}));    // strings
  EXPECT_TRUE(names(refused_tensor(with({2}, 999, "2")), {"that can be stored"}));  // no type
  for (const auto& [type, length] :
       std::map<int, std::string>{{1, "20"}, {10, "10"}, {16, "10"}, {11, "40"}, {22, "3"}}) {
    EXPECT_NO_THROW(read(ProtoWriter().message(5, with({5}, type, length)))) << type;
  }
  EXPECT_NO_THROW(read(ProtoWriter().message(5, with({}, 1, "4"))));
  EXPECT_NO_THROW(read(ProtoWriter().message(5, with({0, 7}, 1, "0"))));
}

TEST(OnnxGraph, ATensorThatDoesNotSayClearlyWhereItLiesIsRefused) {
  const char* unclear = "does not say clearly";
  EXPECT_TRUE(names(refused_tensor(ProtoWriter().bytes(8, "w").varint(14, 1)), {"'w'", unclear}));
  EXPECT_TRUE(names(refused_tensor(external("w").varint(14, 0)), {unclear}));
  EXPECT_TRUE(names(refused_tensor(external("w").bytes(9, "abc")), {unclear}));
  EXPECT_TRUE(names(refused_tensor(tensor_proto("w", {1}, 1, {{"location", "f"}, {"length", "4"}})), {"lacks one of"}));
  EXPECT_TRUE(names(refused_tensor(tensor_proto("w", {2, 3}, 1, {{"location", "f"}, {"location", "g"}})), {"twice"}));
  Entries entries = kEntries;
  entries.emplace_back("basepath", "/");
  EXPECT_TRUE(names(refused_tensor(tensor_proto("w", {2, 3}, 1, entries)), {"'basepath'"}));
}

TEST(OnnxGraph, NumbersOfPlacesMustBePlainDecimals) {
  for (const char* offset : {"", "-8", "0x10", "8 ", "1e3", "18446744073709551616"}) {
    const Entries entries{{"location", "f"}, {"offset", offset}, {"length", "24"}};
    EXPECT_TRUE(names(refused_tensor(tensor_proto("w", {2, 3}, 1, entries)), {"the offset of", "expected a number"}))
        << offset;
  }
}

// Protobuf merges a singular message given twice, so that two harmless halves could make one harmful whole.
TEST(OnnxGraph, MessagesThatProtobufWouldMergeAreRefused) {
  const ProtoWriter graph = ProtoWriter().message(5, external("w"));
  EXPECT_TRUE(names(refused(model_proto(graph, 20).message(7, graph).data()), {"twice in one message"}));
  for (const std::uint32_t field : {5U, 6U, 22U}) {
    const ProtoWriter attribute = ProtoWriter().message(field, ProtoWriter()).message(field, ProtoWriter());
    const ProtoWriter twice = ProtoWriter().message(1, node_with_attribute(attribute));
    EXPECT_TRUE(names(refused(model_proto(twice, 20).data()), {"twice in one message"})) << field;
  }
}

TEST(OnnxGraph, BytesThatAreNoModelAreRefused) {
  const std::string valid = model_proto(graph_proto({}, {}, {{"w", {2, 3}, "f", 0, 24}}), 20).data();
  EXPECT_TRUE(names(refused(""), {"g.onnx", "no graph"}));
  for (std::size_t size = 1; size < valid.size(); ++size) {
    try {
      read_onnx_graph(valid.substr(0, size), "g.onnx");  // a cut between fields may leave a graph
    } catch (const BundleError&) {
    }
  }
  EXPECT_TRUE(names(refused(std::string("\x3a\xff\xff\xff\xff\x0f", 6)), {"longer than what holds it"}));
  EXPECT_TRUE(names(refused(std::string(20, '\xff')), {"more than 64 bits"}));
  EXPECT_TRUE(names(refused(std::string("\x00\x01", 2)), {"out of range"}));
  EXPECT_TRUE(names(refused(std::string("\x0b", 1)), {"wire type"}));
  EXPECT_TRUE(names(refused(std::string("\x38\x01", 2)), {"field 7 is no string or message"}));
}

TEST(OnnxGraph, EndlessNestingOfSubgraphsIsRefused) {
  ProtoWriter graph;
  for (int i = 0; i < 100; ++i) {
    graph = ProtoWriter().message(1, node_with_attribute(ProtoWriter().message(6, graph)));
  }
  EXPECT_TRUE(names(refused(model_proto(graph, 20).data()), {"nested deeper than 32"}));
}

class OnnxGraphCheck : public ::testing::Test {
 protected:
  OnnxGraphCheck() {
    variant.opset = 20;
    variant.data_files = {"weights/w"};
    variant.inputs = {{"x", DType::kFloat32, {"B"}}};
    variant.outputs = {{"y", DType::kFloat32, {"B"}}};
  }

  ProtoWriter graph(std::vector<ExternalWeight> weights = {}) const {
    return graph_proto(variant.inputs, variant.outputs, std::move(weights));
  }
  std::uint64_t check(const ProtoWriter& graph_bytes) const {
    return check_onnx_graph(read(graph_bytes), variant, files, "g.onnx");
  }
  std::string refused(const ProtoWriter& graph_bytes) const {
    return message_of<BundleError>([&] { check(graph_bytes); });
  }

  Variant variant;
  std::map<std::string, DataFile> files{{"weights/w", {100, ""}}, {"weights/other", {100, ""}}};
};

TEST_F(OnnxGraphCheck, CountsTheBytesOfEachRangeOnce) {
  EXPECT_EQ(check(graph()), 0U);
  EXPECT_EQ(check(graph({{"a", {2, 3}, "weights/w", 0, 24}, {"b", {19}, "weights/w", 24, 76}})), 100U);
  EXPECT_EQ(check(graph({{"a", {2, 3}, "weights/w", 0, 24}, {"tied", {3, 2}, "weights/w", 0, 24}})), 24U);
}

TEST_F(OnnxGraphCheck, ARangeBeyondTheDataFileIsRefused) {
  EXPECT_TRUE(names(refused(graph({{"a", {2, 3}, "weights/w", 77, 24}})), {"'a'", "24 bytes at 77", "only 100"}));
  EXPECT_TRUE(names(refused(graph({{"a", {2, 3}, "weights/w", ~0ull - 8, 24}})), {"only 100"}));
  EXPECT_TRUE(names(refused(graph({{"a", {1ll << 50}, "weights/w", 0, 1ull << 52}})), {"only 100"}));
}

TEST_F(OnnxGraphCheck, ALocationThatIsNoDataFileOfTheVariantIsRefused) {
  // The last is the name under which ONNX Runtime takes the offset for an address in memory.
  for (const char* location :
       {"weights/other", "/etc/passwd", "../weights/w", "./weights/w", "", "*/_ORT_MEM_ADDR_/*"}) {
    EXPECT_TRUE(
        names(refused(graph({{"a", {2, 3}, location, 0, 24}})), {location, "one of its data_files: weights/w"}));
  }
}

TEST_F(OnnxGraphCheck, InputsAndOutputsMustBeTheManifests) {
  ProtoWriter good = graph();
  variant.inputs[0].name = "z";
  EXPECT_TRUE(names(refused(good), {"its inputs are x, expected z"}));
  variant.inputs[0] = {"x", DType::kInt64, {"B"}};
  EXPECT_TRUE(names(refused(good), {"'x' has the ONNX type 1, expected int64"}));
  variant.inputs[0].dtype = DType::kFloat32;
  variant.outputs.push_back({"cache", DType::kFloat32, {"B"}});
  EXPECT_TRUE(names(refused(good), {"its outputs are y, expected cache, y"}));
}

TEST_F(OnnxGraphCheck, OpsetAndCustomOpsMustBeTheManifests) {
  const ProtoWriter custom = graph().message(1, node_proto("DepthwiseConv3d", "vidrt"));
  EXPECT_TRUE(names(refused(custom), {"custom ops are vidrt::DepthwiseConv3d, expected none"}));
  variant.custom_ops = {"vidrt::DepthwiseConv3d"};
  EXPECT_EQ(check(custom), 0U);
  EXPECT_TRUE(names(refused(graph()), {"custom ops are none, expected vidrt::DepthwiseConv3d"}));
  variant.opset = 22;
  EXPECT_TRUE(names(refused(custom), {"opset 20, expected 22"}));
}

}  // namespace
}  // namespace vidrt::testing
