// From fields to results: plugins run over the reference in the CUDA kernels' place, in every format.
#include <gtest/gtest.h>

#include "../cpp/support/throws.h"
#include "running/plugin_node.h"
#include "running/reference_launchers.h"
#include "support/conv_case.h"

namespace vidrt::trt::testing {
namespace {

using kernels::DepthwiseSeparableConv3dProblem;
using kernels::DepthwiseSeparableConv3dTensors;
using kernels::ElementType;
using kernels::testing::ConvCase;
using nvinfer1::TensorFormat;
using vidrt::testing::names;

ConvSpec spec_of(const ConvCase& conv) {
  ConvSpec spec;
  spec.op = conv.outputs > 0 ? ConvOperator::kDepthwiseSeparable : ConvOperator::kDepthwise;
  spec.attributes = conv.attributes;
  spec.output_activation = conv.output_activation;
  spec.has_bias = conv.bias;
  spec.has_pointwise_bias = conv.outputs > 0 && conv.pointwise_bias;
  spec.has_residual = conv.residual;
  spec.has_cache_in = conv.cache_in;
  spec.has_cache_out = conv.cache_out;
  return spec;
}

std::vector<TensorFormat> formats_of(const ConvCase& conv) {
  std::vector<TensorFormat> formats{TensorFormat::kLINEAR};
  if (conv.attributes.data_layout == kernels::DataLayout::kNTHWC) return formats;
  const bool whole_vectors = conv.x.c % 8 == 0 && conv.outputs % 8 == 0;
  if (conv.type == ElementType::kFloat32) {
    formats.push_back(TensorFormat::kDHWC);
  } else if (whole_vectors) {
    formats.push_back(TensorFormat::kDHWC8);
  }
  return formats;
}

// Runs the case in every format that its plugin takes; counts those with channels last by their type.
void expect_as_reference(const ConvCase& conv, int (&channels_last)[3]) {
  for (const TensorFormat format : formats_of(conv)) {
    SCOPED_TRACE(to_string(conv) + " in format " + std::to_string(static_cast<int>(format)));
    const auto run = [&](const DepthwiseSeparableConv3dProblem& problem,
                         const DepthwiseSeparableConv3dTensors& tensors) {
      PluginNode node(spec_of(conv), problem, tensors);
      EXPECT_TRUE(node.takes(format));
      EXPECT_EQ(node.run(format), 0) << (node.errors().empty() ? "" : node.errors()[0]);
    };
    if (format != TensorFormat::kLINEAR) ++channels_last[static_cast<int>(conv.type)];
    if (conv.outputs > 0) {
      kernels::testing::expect_as_reference(conv, kernels::testing::Separable(run));
    } else {
      const auto plain = [&](const kernels::DepthwiseConv3dProblem& problem,
                             const kernels::DepthwiseConv3dTensors& tensors) {
        run({problem, problem.y, kernels::Activation::kNone}, {tensors, nullptr, nullptr});
      };
      kernels::testing::expect_as_reference(conv, kernels::testing::Depthwise(plain));
    }
  }
}

TEST(Enqueue, GivesTheReferencesResultsInEveryFormat) {
  int channels_last[3]{};
  for (const ConvCase& conv : kernels::testing::depthwise_cases()) expect_as_reference(conv, channels_last);
  for (const int count : channels_last) EXPECT_GE(count, 5);
}

TEST(Enqueue, GivesTheSeparableReferencesResultsInEveryFormat) {
  int channels_last[3]{};
  std::vector<ConvCase> cases = kernels::testing::separable_cases();
  for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16}) {
    ConvCase whole_vectors;
    whole_vectors.type = type;
    whole_vectors.x = {2, 16, 3, 5, 4};
    whole_vectors.outputs = 24;
    whole_vectors.attributes.temporal_padding = kernels::TemporalPadding::kCausal;
    whole_vectors.residual = whole_vectors.cache_in = whole_vectors.cache_out = true;
    cases.push_back(whole_vectors);
  }
  for (const ConvCase& conv : cases) expect_as_reference(conv, channels_last);
  for (const int count : channels_last) EXPECT_GE(count, 1);
}

// One case with its tensors, and the node that it is.
struct OneNode {
  ConvCase conv;
  kernels::testing::ConvTensors tensors;
  PluginNode node;

  explicit OneNode(const ConvCase& of)
      : conv(of),
        tensors(kernels::testing::make_tensors(conv)),
        node(spec_of(conv),
             conv.outputs > 0 ? kernels::testing::make_separable_problem(conv)
                              : DepthwiseSeparableConv3dProblem{kernels::testing::make_problem(conv),
                                                                kernels::testing::make_problem(conv).y,
                                                                {}},
             conv.outputs > 0
                 ? kernels::testing::separable_views(conv, tensors)
                 : DepthwiseSeparableConv3dTensors{kernels::testing::views(conv, tensors), nullptr, nullptr}) {}
};

TEST(Enqueue, QueuesOnTheStreamThatItIsGiven) {
  OneNode one{ConvCase()};
  int some = 0;
  const auto stream = reinterpret_cast<cudaStream_t>(&some);
  EXPECT_EQ(one.node.run(TensorFormat::kLINEAR, stream), 0);
  EXPECT_EQ(last_stream, stream);
}

TEST(Enqueue, ALaunchThatFailsIsAnErrorWithItsNumber) {
  OneNode one{ConvCase()};
  EXPECT_NE(one.node.run(TensorFormat::kLINEAR, kBadStream), 0);
  ASSERT_EQ(one.node.errors().size(), 1u);
  EXPECT_TRUE(names(one.node.errors()[0], {"vidrt::DepthwiseConv3d 'node'", "CUDA error 9", "as a test wants it"}));
}

TEST(Enqueue, TheSeparableOperatorGetsTheWorkspaceThatItAsksFor) {
  ConvCase conv;
  EXPECT_EQ(OneNode(conv).node.workspace_bytes(TensorFormat::kLINEAR), 0u);
  conv.outputs = 5;
  conv.residual = true;
  const auto elements = static_cast<std::size_t>(kernels::testing::make_separable_problem(conv).y.elements());
  EXPECT_EQ(OneNode(conv).node.workspace_bytes(TensorFormat::kLINEAR), kWorkspacePerElement * elements);
}

}  // namespace
}  // namespace vidrt::trt::testing
