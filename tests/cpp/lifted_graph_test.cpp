// Weights come out of a graph in the form that kernels take, and nothing else of the graph changes.
#include "runtime/lifted_graph.h"

#include <gtest/gtest.h>

#include "support/onnx_writer.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

constexpr int kFloat = 1, kHalf = 10;

ProtoWriter weight(const std::string& name, int data_type, int offset = 64) {
  const int bytes = 6 * (data_type == kFloat ? 4 : 2);
  return tensor_proto(name, {2, 3}, data_type,
                      {{"location", "w"}, {"offset", std::to_string(offset)}, {"length", std::to_string(bytes)}});
}

ProtoWriter node(const std::string& op_type, const std::string& input, const std::string& output) {
  return ProtoWriter().bytes(1, input).bytes(2, output).bytes(4, op_type);
}

ProtoWriter cast(const std::string& input, const std::string& output, int to = kFloat) {
  return node("Cast", input, output).message(5, ProtoWriter().bytes(1, "to").varint(3, static_cast<unsigned>(to)));
}

ProtoWriter transpose(const std::string& input, const std::string& output) {
  return node("Transpose", input, output).message(5, ProtoWriter().bytes(1, "perm").varint(8, 1).varint(8, 0));
}

ProtoWriter output(const std::string& name) { return ProtoWriter().bytes(1, name); }

LiftedGraph lift(const ProtoWriter& graph) { return lift_weights(model_proto(graph, 20).data(), "g.onnx"); }

const LiftedWeight& find(const LiftedGraph& graph, const std::string& name) {
  for (const LiftedWeight& weight : graph.weights) {
    if (weight.name == name) return weight;
  }
  throw std::out_of_range("no weight '" + name + "'");
}

std::int64_t count(const LiftedGraph& graph, const std::string& op_type) {
  const OnnxGraph read = read_onnx_graph(graph.model, "g.onnx");
  const auto found = read.op_counts.find(op_type);
  return found == read.op_counts.end() ? 0 : found->second;
}

TEST(LiftedGraph, ANarrowWeightThatIsCastBecomesAFloatInitialiser) {
  const LiftedGraph graph = lift(
      ProtoWriter().message(5, weight("w", kHalf)).message(1, cast("w", "w.f")).message(1, node("Neg", "w.f", "y")));
  ASSERT_EQ(graph.weights.size(), 1U);
  EXPECT_EQ(graph.weights[0].name, "w.f");
  EXPECT_EQ(graph.weights[0].dtype(), DType::kFloat32);
  EXPECT_EQ(graph.weights[0].stored.data_type, kHalf);
  EXPECT_EQ(graph.weights[0].stored.offset, 64U);
  EXPECT_EQ(count(graph, "Cast"), 0);
  EXPECT_EQ(count(graph, "Neg"), 1);
}

TEST(LiftedGraph, ATransposedMatrixIsLiftedTransposed) {
  const LiftedGraph graph = lift(ProtoWriter()
                                     .message(5, weight("w", kHalf))
                                     .message(1, cast("w", "w.f"))
                                     .message(1, transpose("w.f", "w.t"))
                                     .message(1, node("Neg", "w.t", "y")));
  ASSERT_EQ(graph.weights.size(), 1U);  // not the untransposed one: nobody reads it
  EXPECT_EQ(graph.weights[0].name, "w.t");
  EXPECT_EQ(graph.weights[0].shape(), (Shape{3, 2}));
  EXPECT_TRUE(graph.weights[0].widened);
}

TEST(LiftedGraph, TwiceTransposedIsAsStored) {
  const LiftedGraph graph = lift(ProtoWriter()
                                     .message(5, weight("w", kFloat))
                                     .message(1, transpose("w", "t"))
                                     .message(1, transpose("t", "u"))
                                     .message(1, node("Neg", "u", "y"))
                                     .message(1, node("Neg", "t", "z")));
  EXPECT_EQ(find(graph, "u").shape(), (Shape{2, 3}));
  EXPECT_EQ(find(graph, "t").shape(), (Shape{3, 2}));
}

TEST(LiftedGraph, AWeightReadBothWaysIsLiftedBothWays) {
  const LiftedGraph graph = lift(ProtoWriter()
                                     .message(5, weight("w", kHalf))
                                     .message(1, cast("w", "w.f"))
                                     .message(1, node("Neg", "w.f", "y"))
                                     .message(1, node("Neg", "w", "z")));
  EXPECT_EQ(graph.weights.size(), 2U);
  EXPECT_TRUE(find(graph, "w.f").widened);
  EXPECT_FALSE(find(graph, "w").widened);
}

TEST(LiftedGraph, OtherCastsAndTransposesStay) {
  const LiftedGraph graph = lift(
      ProtoWriter()
          .message(5, weight("w", kHalf))
          .message(5, weight("f", kFloat))
          .message(1, cast("w", "to_int", 7))
          .message(1, cast("f", "float_to_float"))
          .message(1, cast("x", "not_a_weight"))
          .message(1, cast("w", "foreign").bytes(7, "other"))
          .message(1, transpose("x", "xt"))
          .message(1, transpose("f", "same").message(5, ProtoWriter().bytes(1, "perm").varint(8, 0).varint(8, 1))));
  EXPECT_EQ(count(graph, "Cast"), 3);
  EXPECT_EQ(count(graph, "other::Cast"), 1);
  EXPECT_EQ(count(graph, "Transpose"), 2);
  EXPECT_FALSE(find(graph, "w").widened);
  EXPECT_FALSE(find(graph, "f").transposed);
}

TEST(LiftedGraph, AnOutputOfTheGraphKeepsItsNode) {
  const LiftedGraph graph =
      lift(ProtoWriter().message(5, weight("w", kHalf)).message(1, cast("w", "y")).message(12, output("y")));
  EXPECT_EQ(count(graph, "Cast"), 1);
  EXPECT_EQ(graph.weights.size(), 1U);
  EXPECT_EQ(graph.weights[0].name, "w");
}

TEST(LiftedGraph, WhatASubgraphMayCaptureIsThere) {
  const ProtoWriter branch = ProtoWriter().message(1, node("Neg", "w.f", "inner"));
  const LiftedGraph graph =
      lift(ProtoWriter()
               .message(5, weight("w", kHalf))
               .message(1, cast("w", "w.f"))
               .message(1, node("If", "c", "y").message(5, ProtoWriter().bytes(1, "then_branch").message(6, branch))));
  EXPECT_TRUE(find(graph, "w.f").widened);
}

TEST(LiftedGraph, AWeightOffItsAlignmentIsLeftToTheBackend) {
  EXPECT_TRUE(lift(ProtoWriter().message(5, weight("w", kFloat, 4)).message(1, node("Neg", "w", "y"))).weights.empty());
  EXPECT_EQ(lift(ProtoWriter().message(5, weight("w", kFloat, 64)).message(1, node("Neg", "w", "y"))).weights.size(),
            1U);
}

// Of which nothing can be computed before a run, so that an optimiser never asks for its bytes.
TEST(LiftedGraph, ALargeMatrixThatIsOnlyMultipliedByOrLookedUpInIsKnownForIt) {
  const auto matrix = [](int columns) {
    return tensor_proto("w", {512, columns}, kFloat,
                        {{"location", "w"}, {"offset", "0"}, {"length", std::to_string(2048 * columns)}});
  };
  const auto uses = [](const std::string& op_type, const std::string& a, const std::string& b) {
    return ProtoWriter().bytes(1, a).bytes(1, b).bytes(2, a + b + op_type).bytes(4, op_type);
  };
  const auto graph = [&](int columns) { return ProtoWriter().message(5, matrix(columns)); };
  const auto only_operand = [](const ProtoWriter& whole) { return find(lift(whole), "w").only_operand; };

  EXPECT_TRUE(only_operand(graph(512).message(1, uses("MatMul", "x", "w"))));
  EXPECT_TRUE(only_operand(graph(512).message(1, uses("Gather", "w", "x"))));
  EXPECT_TRUE(only_operand(graph(512).message(1, uses("Gather", "w", "x")).message(1, uses("MatMul", "x", "w"))));
  const LiftedGraph turned = lift(graph(512).message(1, transpose("w", "w.t")).message(1, uses("MatMul", "x", "w.t")));
  EXPECT_TRUE(find(turned, "w.t").only_operand);

  EXPECT_FALSE(only_operand(graph(511).message(1, uses("MatMul", "x", "w"))));  // small: a copy is nothing
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("MatMul", "w", "x"))));
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("Gather", "x", "w"))));
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("Add", "x", "w"))));
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("MatMul", "w", "w"))));
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("MatMul", "x", "w")).message(1, node("Neg", "w", "y"))));
  EXPECT_FALSE(only_operand(graph(512)
                                .message(5, ProtoWriter().varint(1, 1).varint(2, kFloat).bytes(8, "x").bytes(9, "1234"))
                                .message(1, uses("MatMul", "x", "w"))));
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("MatMul", "x", "w")).message(12, output("w"))));
  const ProtoWriter branch = ProtoWriter().bytes(1, "then_branch").message(6, ProtoWriter()).varint(20, 5);
  const ProtoWriter subgraph = ProtoWriter().bytes(2, "z").bytes(4, "If").message(5, branch);
  EXPECT_FALSE(only_operand(graph(512).message(1, uses("MatMul", "x", "w")).message(1, subgraph)));
}

TEST(LiftedGraph, WeightsInsideTheFileStayThere) {
  ProtoWriter inside;
  inside.varint(1, 1).varint(2, kHalf).bytes(8, "w").bytes(9, "ab");
  const LiftedGraph graph =
      lift(ProtoWriter().message(5, inside).message(1, cast("w", "w.f")).message(1, node("Neg", "w.f", "y")));
  EXPECT_TRUE(graph.weights.empty());
  EXPECT_EQ(count(graph, "Cast"), 1);
}

TEST(LiftedGraph, AGraphWithoutWeightsIsUnchanged) {
  const std::string model =
      model_proto(ProtoWriter().message(1, node("Neg", "x", "y")).message(12, output("y")), 20).data();
  EXPECT_EQ(lift_weights(model, "g.onnx").model, model);
}

TEST(LiftedGraph, ATruncatedGraphIsRefused) {
  const std::string model = model_proto(ProtoWriter().message(5, weight("w", kHalf)), 20).data();
  EXPECT_NE(message_of<BundleError>([&] { lift_weights(model.substr(0, model.size() / 2), "g.onnx"); }).find("g.onnx"),
            std::string::npos);
}

}  // namespace
}  // namespace vidrt::testing
