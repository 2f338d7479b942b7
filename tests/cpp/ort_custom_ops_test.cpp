// The operators in ONNX Runtime: what the reference computes, whatever a node leaves out; and what a wrong node or a
// wrong tensor is told.
#include <dlfcn.h>
#include <sys/mman.h>

#include <cstring>
#include <functional>
#include <thread>

#include "onnxruntime/custom_ops/custom_ops.h"
#include "onnxruntime/custom_ops/packed_weights.h"
#include "support/conv_case.h"
#include "support/conv_model.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/small_graph.h"
#include "support/throws.h"

namespace vidrt::testing {
namespace {

using kernels::ClipShape;
using kernels::DataLayout;
using kernels::ElementType;
using kernels::TemporalPadding;
using kernels::testing::Bytes;
using kernels::testing::ConvCase;

using Dims = std::vector<std::int64_t>;

int onnx_type(ElementType type) { return type == ElementType::kFloat32 ? 1 : type == ElementType::kFloat16 ? 10 : 16; }

std::map<std::string, AttributeValue> attributes_of(const ConvCase& conv) {
  const kernels::DepthwiseConv3dAttributes& a = conv.attributes;
  std::map<std::string, AttributeValue> attributes = {
      {"strides", Dims(a.strides.begin(), a.strides.end())},
      {"dilations", Dims(a.dilations.begin(), a.dilations.end())},
      {"temporal_padding", std::string(kernels::to_string(a.temporal_padding))},
      {"temporal_pad_mode", std::string(kernels::to_string(a.temporal_pad_mode))},
      {"spatial_padding", std::string(kernels::to_string(a.spatial_padding))},
      {"spatial_pad_mode", std::string(kernels::to_string(a.spatial_pad_mode))},
      {"activation", std::string(kernels::to_string(a.activation))},
      {"data_layout", std::string(kernels::to_string(a.data_layout))},
      // For TensorRT; ONNX Runtime does not mind.
      {"plugin_version", std::string("1")},
      {"plugin_namespace", std::string("vidrt")}};
  if (conv.outputs > 0) attributes["output_activation"] = std::string(kernels::to_string(conv.output_activation));
  return attributes;
}

// A case as a node of a graph, with the memory that a kernel would get.
class ConvGraph {
 public:
  enum class Weights { kConstant, kInputs };

  ConvGraph(const ConvCase& conv, const kernels::DepthwiseSeparableConv3dTensors& tensors, const ClipShape& y,
            Weights weights)
      : conv_(conv), weights_(weights) {
    model_.op = conv.outputs > 0 ? "DepthwiseSeparableConv3d" : "DepthwiseConv3d";
    model_.attributes = attributes_of(conv);
    model_.output_type = onnx_type(conv.type);
    const DataLayout layout = conv.attributes.data_layout;
    const kernels::DepthwiseConv3dTensors& t = tensors.depthwise;
    const std::int64_t past = (conv.kernel[0] - 1) * conv.attributes.dilations[0];
    const ClipShape cache{conv.x.n, conv.x.c, past, conv.x.h, conv.x.w};
    add_clip("X", t.x, conv.x.dims(layout));
    add_weight("W", t.weight, {conv.x.c, 1, conv.kernel[0], conv.kernel[1], conv.kernel[2]});
    add_weight("B", t.bias, {conv.x.c});
    if (conv.outputs > 0) {
      add_weight("PW", tensors.pointwise, {conv.outputs, conv.x.c});
      add_weight("PB", tensors.pointwise_bias, {conv.outputs});
    }
    add_clip("residual", t.residual, y.dims(layout));
    add_clip("cache_in", t.cache_in, cache.dims(layout));
    add_output("Y", t.y, y.dims(layout));
    model_.outputs = {"Y"};
    if (conv.cache_out) {
      add_output("cache_out", t.cache_out, cache.dims(layout));
      model_.outputs.push_back("cache_out");
    }
  }

  void run() const { ConvSession(model_.bytes()).run(inputs_, outputs_); }

 private:
  static Dims list(const std::array<std::int64_t, 5>& dims) { return Dims(dims.begin(), dims.end()); }

  HostTensor tensor(const std::string& name, const void* data, const Dims& dims) const {
    std::size_t bytes = kernels::size_of(conv_.type);
    for (const std::int64_t size : dims) bytes *= static_cast<std::size_t>(size);
    return {name, onnx_type(conv_.type), dims, const_cast<void*>(data), bytes};
  }

  void add_input(const std::string& name, const void* data, const Dims& dims, bool constant) {
    if (data == nullptr) {
      model_.inputs.push_back({"", 0, {}});
      return;
    }
    ModelInput input{name, onnx_type(conv_.type), ModelShape(dims.begin(), dims.end())};
    const HostTensor host = tensor(name, data, dims);
    if (constant) {
      input.constant.assign(static_cast<const char*>(data), host.bytes);
    } else {
      inputs_.push_back(host);
    }
    model_.inputs.push_back(input);
  }

  void add_clip(const std::string& name, const void* data, const std::array<std::int64_t, 5>& dims) {
    add_input(name, data, list(dims), false);
  }
  void add_weight(const std::string& name, const void* data, const Dims& dims) {
    add_input(name, data, dims, weights_ == Weights::kConstant);
  }
  void add_output(const std::string& name, void* data, const std::array<std::int64_t, 5>& dims) {
    outputs_.push_back(tensor(name, data, list(dims)));
  }

  const ConvCase& conv_;
  Weights weights_;
  ConvModel model_;
  std::vector<HostTensor> inputs_;
  std::vector<HostTensor> outputs_;
};

class OrtCustomOpsTest : public OrtTest {
 protected:
  static void expect_depthwise(const ConvCase& conv, ConvGraph::Weights weights) {
    kernels::testing::expect_as_reference(
        conv, [&](const kernels::DepthwiseConv3dProblem& problem, const kernels::DepthwiseConv3dTensors& tensors) {
          ConvGraph(conv, {tensors, nullptr, nullptr}, problem.y, weights).run();
        });
  }

  static void expect_separable(const ConvCase& conv, ConvGraph::Weights weights) {
    kernels::testing::expect_as_reference(conv, [&](const kernels::DepthwiseSeparableConv3dProblem& problem,
                                                    const kernels::DepthwiseSeparableConv3dTensors& tensors) {
      ConvGraph(conv, tensors, problem.y, weights).run();
    });
  }
};

// The cases leave out every subset of the optional inputs, those in the middle included.
TEST_F(OrtCustomOpsTest, ConstantWeightsGiveTheResultsOfTheReference) {
  for (const ConvCase& conv : kernels::testing::depthwise_cases()) {
    expect_depthwise(conv, ConvGraph::Weights::kConstant);
  }
  for (const ConvCase& conv : kernels::testing::separable_cases()) {
    expect_separable(conv, ConvGraph::Weights::kConstant);
  }
}

TEST_F(OrtCustomOpsTest, WeightsMayBeInputs) {
  int index = 0;
  for (const ConvCase& conv : kernels::testing::depthwise_cases()) {
    if (index++ % 8 == 0) expect_depthwise(conv, ConvGraph::Weights::kInputs);
  }
  for (const ConvCase& conv : kernels::testing::separable_cases()) {
    if (index++ % 4 == 0) expect_separable(conv, ConvGraph::Weights::kInputs);
  }
}

// A model with a dense description: X (N,3,T,H,W) float32 with names for sizes, a constant 3x3x3 filter of ones.
class Node {
 public:
  explicit Node(const std::string& op = "DepthwiseConv3d") {
    model.op = op;
    model.inputs = {{"X", 1, {"N", std::int64_t{3}, "T", "H", "W"}}, constant("W", {3, 1, 3, 3, 3})};
    if (op == "DepthwiseSeparableConv3d") {
      model.inputs.push_back({""});
      model.inputs.push_back(constant("PW", {2, 3}));
    }
  }

  static ModelInput constant(const std::string& name, const Dims& dims) {
    std::size_t count = 1;
    for (const std::int64_t size : dims) count *= static_cast<std::size_t>(size);
    const std::vector<float> ones(count, 1.0f);
    return {name, 1, ModelShape(dims.begin(), dims.end()),
            std::string(reinterpret_cast<const char*>(ones.data()), count * sizeof(float))};
  }

  ModelInput& input(const std::string& name) {
    for (ModelInput& input : model.inputs) {
      if (input.name == name) return input;
    }
    model.inputs.push_back({name});
    return model.inputs.back();
  }

  Node& causal() {
    model.attributes["temporal_padding"] = std::string("causal");
    return *this;
  }

  ConvSession load(const ConvSessionOptions& options = {}) const { return ConvSession(model.bytes(), options); }
  /// What loading says.
  std::string refusal() const {
    return message_of<BackendError>([&] { load(); });
  }

  ConvModel model;
};

// Memory of a run with ones in it; float32.
class Floats {
 public:
  Floats(std::string name, Dims shape, float value = 1.0f) : name_(std::move(name)), shape_(std::move(shape)) {
    std::size_t count = 1;
    for (const std::int64_t size : shape_) count *= static_cast<std::size_t>(size);
    values.assign(count, value);
  }

  operator HostTensor() { return {name_, 1, shape_, values.data(), values.size() * sizeof(float)}; }

  std::vector<float> values;

 private:
  std::string name_;
  Dims shape_;
};

TEST_F(OrtCustomOpsTest, ShapesAreInferredWithTheirNames) {
  if (ort_library().version < "1.24") GTEST_SKIP() << "shapes are inferred from ONNX Runtime 1.24 on";
  Node node;
  node.causal().model.attributes["strides"] = Dims{1, 2, 1};
  const ConvSession session = node.load();
  EXPECT_EQ(session.output_shape(0), (std::vector<std::string>{"N", "3", "T", "floor((H - 1)/2) + 1", "W"}));
  Node separable("DepthwiseSeparableConv3d");  // B is absent, in the middle
  EXPECT_EQ(separable.load().output_shape(0), (std::vector<std::string>{"N", "2", "T", "H", "W"}));
}

TEST_F(OrtCustomOpsTest, AnOutputMayBeLeftOutByAnEmptyName) {
  Node node;
  node.causal().model.outputs = {"Y", ""};
  Floats x("X", {1, 3, 2, 1, 1});
  Floats y("Y", {1, 3, 2, 1, 1}, 0.0f);
  node.load().run({x}, {y});
  EXPECT_EQ(y.values, (std::vector<float>{1, 2, 1, 2, 1, 2}));
}

TEST_F(OrtCustomOpsTest, ConstantWeightsArePackedOnceWhenTheSessionIsMade) {
  Node node("DepthwiseSeparableConv3d");
  Floats w("W", {3, 1, 3, 3, 3});
  Floats pw("PW", {2, 3});
  const ConvSession session = node.load({1, {w, pw}});
  w.values.assign(w.values.size(), 7.0f);
  pw.values.assign(pw.values.size(), 7.0f);
  Floats x("X", {1, 3, 1, 1, 1});
  Floats y("Y", {1, 2, 1, 1, 1}, 0.0f);
  session.run({x}, {y});
  EXPECT_EQ(y.values, (std::vector<float>{3, 3}));
}

TEST_F(OrtCustomOpsTest, APointwiseWeightMayHaveFiveDimensions) {
  Node node("DepthwiseSeparableConv3d");
  node.input("PW") = Node::constant("PW", {2, 3, 1, 1, 1});
  Floats x("X", {1, 3, 1, 1, 1});
  Floats y("Y", {1, 2, 1, 1, 1}, 0.0f);
  node.load().run({x}, {y});
  EXPECT_EQ(y.values, (std::vector<float>{3, 3}));
}

TEST_F(OrtCustomOpsTest, ThreadsGiveTheBitsOfOne) {
  Node node;
  const Dims shape = {1, 3, 9, 33, 47};
  Floats x("X", shape);
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] = static_cast<float>(i % 101) * 0.01f;
  Floats alone("Y", shape, 0.0f);
  node.load().run({x}, {alone});
  Floats together("Y", shape, 0.0f);
  node.load({4, {}}).run({x}, {together});
  EXPECT_EQ(together.values, alone.values);
}

TEST_F(OrtCustomOpsTest, OneSessionServesSeveralThreads) {
  Node node;
  node.input("W").constant.clear();  // packed in every run
  const ConvSession session = node.load({2, {}});
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 20; ++round) {
        Floats x("X", {1, 3, 1 + round % 3, 1, 1});
        Floats w("W", {3, 1, 3, 3, 3}, static_cast<float>(thread));
        Floats y("Y", {1, 3, 1 + round % 3, 1, 1}, -1.0f);
        session.run({x, w}, {y});
        right[static_cast<std::size_t>(thread)] += y.values[0] == static_cast<float>(thread * (round % 3 == 0 ? 1 : 2));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, (std::vector<int>{20, 20, 20, 20}));
}

TEST_F(OrtCustomOpsTest, MoreElementsThan31BitsCount) {
  Node node;
  node.model.output_type = 16;
  node.model.attributes["strides"] = Dims{65535, 1, 1};
  node.model.inputs = {{"X", 16, {"N", std::int64_t{1}, "T", "H", "W"}},
                       {"W",
                        16,
                        {std::int64_t{1}, std::int64_t{1}, std::int64_t{1}, std::int64_t{1}, std::int64_t{1}},
                        std::string("\x00\x40", 2)}};  // 2
  // Memory that is not touched is not taken: all of it is the system's one page of zeros, but for the last frame.
  constexpr std::int64_t kFrames = 65536;
  constexpr std::int64_t kColumns = 33000;
  constexpr std::size_t kBytes = std::size_t{kFrames} * kColumns * 2;
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "the system does not give 4 GiB of address space";
  auto* const x = static_cast<std::uint16_t*>(memory);
  x[std::size_t{kFrames} * kColumns - 1] = 0x3f80;  // 1
  std::vector<std::uint16_t> y(2 * kColumns, 0xffff);
  node.load().run({{"X", 16, {1, 1, kFrames, 1, kColumns}, memory, kBytes}},
                  {{"Y", 16, {1, 1, 2, 1, kColumns}, y.data(), y.size() * 2}});
  munmap(memory, kBytes);
  EXPECT_EQ(y.front(), 0);
  EXPECT_EQ(y[y.size() - 2], 0);
  EXPECT_EQ(y.back(), 0x4000);
}

// --- What is wrong, and what is said ---

struct BadNode {
  const char* name;
  std::function<void(Node&)> change;
  std::vector<const char*> said;
};

class BadNodes : public OrtTest, public ::testing::WithParamInterface<BadNode> {};

TEST_P(BadNodes, AreRefusedWhenTheSessionIsMade) {
  Node node;
  GetParam().change(node);
  const std::string message = node.refusal();
  for (const char* part : GetParam().said) EXPECT_TRUE(names(message, {part}));
}

void set_text(Node& node, const char* attribute, const char* value) {
  node.model.attributes[attribute] = std::string(value);
}

INSTANTIATE_TEST_SUITE_P(
    OrtCustomOps, BadNodes,
    ::testing::Values(
        BadNode{"Word",
                [](Node& n) { set_text(n, "activation", "tanh"); },
                {"vidrt::DepthwiseConv3d node 'conv'", "attribute activation", "'tanh'", "gelu_tanh"}},
        BadNode{"WordOfAnotherType",
                [](Node& n) { n.model.attributes["temporal_padding"] = std::int64_t{1}; },
                {"'conv'", "attribute temporal_padding", "a string"}},
        BadNode{"NumberOfAnotherType",
                [](Node& n) { n.model.attributes["strides"] = 2.0f; },
                {"attribute strides", "expected 3"}},
        BadNode{"TooFewNumbers",
                [](Node& n) {
                  n.model.attributes["dilations"] = Dims{1, 1};
                },
                {"attribute dilations", "got 2", "expected 3"}},
        BadNode{"ZeroStride",
                [](Node& n) {
                  n.model.attributes["strides"] = Dims{1, 0, 1};
                },
                {"attribute strides", "got 0 along height"}},
        BadNode{"AbsurdDilation",
                [](Node& n) {
                  n.model.attributes["dilations"] = Dims{1LL << 62, 1, 1};
                },
                {"attribute dilations", "along time", "65536"}},
        BadNode{"EvenFilterWithSame",
                [](Node& n) {
                  n.input("W") = Node::constant("W", {3, 1, 3, 2, 3});
                },
                {"W:", "2 taps along height", "odd"}},
        BadNode{"FilterTooLarge",
                [](Node& n) {
                  n.input("W") = Node::constant("W", {3, 1, 9, 3, 3});
                },
                {"W:", "(3,1,9,3,3)", "at most 7"}},
        BadNode{"DenseFilter",
                [](Node& n) {
                  n.input("W") = Node::constant("W", {3, 3, 3, 3, 3});
                },
                {"W:", "(3,3,3,3,3)", "(C,1,kT,kH,kW)"}},
        BadNode{"FilterOfOtherChannels",
                [](Node& n) {
                  n.input("W") = Node::constant("W", {4, 1, 3, 3, 3});
                },
                {"W:", "(4,1,3,3,3)", "C = 3"}},
        BadNode{"FlatFilter",
                [](Node& n) {
                  n.input("W") = Node::constant("W", {3, 3, 3, 3});
                },
                {"W:", "(3,3,3,3)", "5 dimensions"}},
        BadNode{"BiasOfAnotherLength",
                [](Node& n) { n.model.inputs.push_back(Node::constant("B", {4})); },
                {"B:", "4 values", "expected 3"}},
        BadNode{"BiasOfAnotherRank",
                [](Node& n) {
                  n.model.inputs.push_back(Node::constant("B", {1, 3}));
                },
                {"B:", "(1,3)", "1 dimension"}},
        BadNode{"PictureInsteadOfClip",
                [](Node& n) {
                  n.input("X").shape = {"N", std::int64_t{3}, "H", "W"};
                },
                {"X:", "(?,3,?,?)", "(N,C,T,H,W)"}},
        BadNode{"PictureInsteadOfClipChannelsLast",
                [](Node& n) {
                  set_text(n, "data_layout", "NTHWC");
                  n.input("X").shape = {"N", "H", "W", std::int64_t{3}};
                },
                {"X:", "(N,T,H,W,C)"}},
        BadNode{"ZeroSize",
                [](Node& n) {
                  n.input("X").shape = {std::int64_t{1}, std::int64_t{3}, std::int64_t{0}, std::int64_t{4}, "W"};
                },
                {"X:", "at least 1"}},
        BadNode{"FilterOfAnotherType",
                [](Node& n) {
                  n.input("W").type = 11;
                  n.input("W").constant += n.input("W").constant;
                },
                {"W:", "float64", "float32, the type of X"}},
        BadNode{"CacheWithoutCausal",
                [](Node& n) {
                  n.model.outputs = {"Y", "cache_out"};
                },
                {"cache", "'same'", "'causal'"}},
        BadNode{"CacheOfAFilterWithoutPast",
                [](Node& n) {
                  n.causal().input("W") = Node::constant("W", {3, 1, 1, 3, 3});
                  n.model.outputs = {"Y", "cache_out"};
                },
                {"cache", "one tap"}},
        BadNode{"CacheOfAnotherLength",
                [](Node& n) {
                  const auto clip = [](std::int64_t t) {
                    return ModelShape{std::int64_t{1}, std::int64_t{3}, t, std::int64_t{4}, std::int64_t{5}};
                  };
                  n.causal().input("X").shape = clip(4);
                  n.model.inputs.push_back({""});
                  n.model.inputs.push_back({""});
                  n.model.inputs.push_back({"cache_in", 1, clip(3)});
                },
                {"cache_in:", "(1,3,3,4,5)", "(1,3,2,4,5)"}},
        BadNode{"NodeWithoutName",
                [](Node& n) {
                  n.model.node = "";
                  set_text(n, "data_layout", "NCHW");
                },
                {"vidrt::DepthwiseConv3d node of 'Y'", "'NCHW'"}}),
    [](const auto& info) { return info.param.name; });

TEST_F(OrtCustomOpsTest, APointwiseWeightThatDoesNotFitIsRefused) {
  Node node("DepthwiseSeparableConv3d");
  node.input("PW") = Node::constant("PW", {2, 4});
  EXPECT_TRUE(names(node.refusal(), {"vidrt::DepthwiseSeparableConv3d node 'conv'", "PW:", "(2,4)", "C = 3"}));
  node.input("PW") = Node::constant("PW", {2, 3, 1, 3, 1});
  EXPECT_TRUE(names(node.refusal(), {"PW:", "(2,3,1,3,1)", "(O,C,1,1,1)"}));
  node.input("PW") = Node::constant("PW", {2, 3});
  node.model.inputs.push_back(Node::constant("PB", {3}));
  EXPECT_TRUE(names(node.refusal(), {"PB:", "3 values", "expected 2"}));
}

TEST_F(OrtCustomOpsTest, AMissingRequiredInputIsRefused) {
  Node node;
  node.model.inputs[1].name = "";
  node.model.inputs[1].constant = "";
  EXPECT_TRUE(names(node.refusal(), {"conv"}));
  Node separable("DepthwiseSeparableConv3d");
  separable.model.inputs.resize(3);
  EXPECT_TRUE(names(separable.refusal(), {"conv"}));
}

TEST_F(OrtCustomOpsTest, AnElementTypeThatNoKernelHasIsRefused) {
  Node node;
  node.input("X").type = 11;
  EXPECT_TRUE(names(node.refusal(), {"double"}));
}

// Sizes that only a run knows.
TEST_F(OrtCustomOpsTest, TensorsThatDoNotFitAreRefusedInTheRunAndTheSessionGoesOn) {
  Node node;
  node.causal();
  node.model.inputs.push_back({""});
  node.model.inputs.push_back({"residual", 1, {"N", "C", "U", "H", "W"}});
  node.model.inputs.push_back({"cache_in", 1, {"N", "C", "P", "H", "W"}});
  node.model.outputs = {"Y", "cache_out"};
  const ConvSession session = node.load();
  const Dims clip = {1, 3, 4, 2, 2};
  const Dims cache = {1, 3, 2, 2, 2};
  const auto run = [&](const Dims& x, const Dims& residual, const Dims& cache_in) {
    Floats inputs[] = {{"X", x}, {"residual", residual}, {"cache_in", cache_in}};
    Floats outputs[] = {{"Y", clip}, {"cache_out", cache}};
    session.run({inputs[0], inputs[1], inputs[2]}, {outputs[0], outputs[1]});
  };
  const auto said = [&](const Dims& x, const Dims& residual, const Dims& cache_in) {
    return message_of<BackendError>([&] { run(x, residual, cache_in); });
  };
  EXPECT_TRUE(names(said({1, 3, 0, 2, 2}, clip, cache), {"'conv'", "X:", "(1,3,0,2,2)", "at least 1"}));
  EXPECT_TRUE(names(said(clip, {1, 3, 5, 2, 2}, cache), {"residual:", "(1,3,5,2,2)", "(1,3,4,2,2)"}));
  EXPECT_TRUE(names(said(clip, clip, {1, 3, 3, 2, 2}), {"cache_in:", "(1,3,3,2,2)", "(1,3,2,2,2)", "2 frames"}));
  EXPECT_TRUE(names(said(clip, clip, {1, 4, 2, 2, 2}), {"cache_in:", "(1,4,2,2,2)"}));
  EXPECT_NO_THROW(run(clip, clip, cache));
}

TEST_F(OrtCustomOpsTest, WeightsThatOnlyARunKnowsAreCheckedThere) {
  Node node("DepthwiseSeparableConv3d");
  node.model.inputs = {{"X", 1, {}}, {"W", 1, {}}, {"B", 1, {}}, {"PW", 1, {}}, {"PB", 1, {}}};
  const ConvSession session = node.load();
  const auto said = [&](const Dims& w, const Dims& b, const Dims& pw, const Dims& pb) {
    return message_of<BackendError>([&] {
      Floats inputs[] = {{"X", {1, 3, 2, 2, 2}}, {"W", w}, {"B", b}, {"PW", pw}, {"PB", pb}};
      Floats y("Y", {1, 2, 2, 2, 2});
      session.run({inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]}, {y});
    });
  };
  const Dims w = {3, 1, 3, 3, 3};
  EXPECT_TRUE(names(said({3, 1, 3, 3}, {3}, {2, 3}, {2}), {"W:", "(3,1,3,3)", "5 dimensions"}));
  EXPECT_TRUE(names(said({}, {3}, {2, 3}, {2}), {"W:", "()", "5 dimensions"}));
  EXPECT_TRUE(names(said({2, 1, 3, 3, 3}, {3}, {2, 3}, {2}), {"W:", "(2,1,3,3,3)", "C = 3"}));
  EXPECT_TRUE(names(said(w, {2}, {2, 3}, {2}), {"B:", "2 values", "expected 3"}));
  EXPECT_TRUE(names(said(w, {3}, {2}, {2}), {"PW:", "(2)", "(O,C)"}));
  EXPECT_TRUE(names(said(w, {3}, {0, 3}, {2}), {"PW:", "(0,3)"}));
  EXPECT_TRUE(names(said(w, {3}, {2, 3}, {1}), {"PB:", "1 values", "expected 2"}));
}

TEST_F(OrtCustomOpsTest, ResultsThatLieOverAnInputOrEachOtherAreRefused) {
  Node node;
  node.causal().model.outputs = {"Y", "cache_out"};
  node.model.inputs.push_back({""});
  node.model.inputs.push_back({""});
  node.model.inputs.push_back({"cache_in", 1, {"N", "C", "P", "H", "W"}});
  const ConvSession session = node.load();
  const Dims shape = {1, 3, 2, 2, 2};
  Floats x("X", shape);
  Floats cache("cache_in", shape);
  Floats y("Y", shape);
  Floats next("cache_out", shape);
  const auto over = [](HostTensor tensor, Floats& other) {
    tensor.data = other.values.data();
    return tensor;
  };
  const auto said = [&](const std::vector<HostTensor>& outputs) {
    return message_of<BackendError>([&] { session.run({x, cache}, outputs); });
  };
  EXPECT_TRUE(names(said({over(y, x), next}), {"Y:", "overlaps X's"}));
  EXPECT_TRUE(names(said({y, over(next, cache)}), {"cache_out:", "overlaps cache_in's"}));
  EXPECT_TRUE(names(said({y, over(next, y)}), {"cache_out:", "overlaps Y's"}));
  EXPECT_NO_THROW(session.run({x, cache}, {y, next}));
}

// --- The library that any ONNX Runtime loads ---

TEST_F(OrtCustomOpsTest, TheLibraryAndTheCoreServeOneProcess) {
  Node node;
  const ConvSession linked = node.load();
  const ConvSession loaded = node.load({2, {}, VIDRT_ORT_OPS_LIBRARY});
  Floats x("X", {1, 3, 3, 2, 2});
  Floats first("Y", {1, 3, 3, 2, 2}, 0.0f);
  Floats second("Y", {1, 3, 3, 2, 2}, 1.0f);
  linked.run({x}, {first});
  loaded.run({x}, {second});
  EXPECT_EQ(first.values, second.values);
  node.model.attributes["activation"] = std::string("tanh");
  EXPECT_TRUE(names(message_of<BackendError>([&] { node.load({1, {}, VIDRT_ORT_OPS_LIBRARY}); }), {"'tanh'"}));
}

TEST_F(OrtCustomOpsTest, TheLibraryStaysAfterItsLastSessionAndServesTheNext) {
  Node node;
  node.load({1, {}, VIDRT_ORT_OPS_LIBRARY});
  // What it registered points into it, for as long as the process runs.
  void* const library = dlopen(VIDRT_ORT_OPS_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(library, nullptr);
  dlclose(library);
  EXPECT_NO_THROW(node.load({1, {}, VIDRT_ORT_OPS_LIBRARY}));
}

TEST(OrtCustomOps, NodesWithEqualWeightsShareOneCopyUntilTheLastIsGone) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const auto pack = [&](const float* bias) {
    return custom_ops::share(kernels::pack_depthwise({3, 1, 1}, 2, ElementType::kFloat32, values.data(), bias));
  };
  const auto first = pack(nullptr);
  EXPECT_EQ(pack(nullptr), first);
  EXPECT_NE(pack(values.data()), first);
  EXPECT_NE(custom_ops::share(kernels::pack_depthwise({1, 3, 1}, 2, ElementType::kFloat32, values.data(), nullptr)),
            first);
  const auto pack_rows = [&](DataLayout layout) {
    return custom_ops::share(kernels::pack_pointwise(layout, 2, 3, ElementType::kFloat32, values.data(), nullptr));
  };
  const std::weak_ptr<const kernels::PackedPointwise> gone = pack_rows(DataLayout::kNCTHW);
  EXPECT_TRUE(gone.expired());
  const auto planar = pack_rows(DataLayout::kNCTHW);
  EXPECT_EQ(pack_rows(DataLayout::kNCTHW), planar);
  EXPECT_NE(pack_rows(DataLayout::kNTHWC), planar);
}

TEST(OrtCustomOps, TheRowsOfThePointwiseConvolutionAreHeldOnce) {
  const std::vector<float> values(32 * 24, 1.0f);
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    const kernels::PackedPointwise packed =
        kernels::pack_pointwise(layout, 32, 24, ElementType::kFloat32, values.data(), nullptr);
    EXPECT_EQ(packed.weight.size(), values.size());
  }
}

TEST(OrtCustomOps, TheNamesAreKnown) {
  EXPECT_TRUE(custom_ops::exists("vidrt::DepthwiseConv3d"));
  EXPECT_TRUE(custom_ops::exists("vidrt::DepthwiseSeparableConv3d"));
  EXPECT_FALSE(custom_ops::exists("DepthwiseConv3d"));
  EXPECT_FALSE(custom_ops::exists("vidrt::Conv3d"));
}

// y = (indices of x's elements that are not 0) W. ONNX Runtime puts tensors of one shape on the same memory, and would
// take sizes that nobody names for one size.
TEST_F(OrtCustomOpsTest, AProductWithAnUnnamedNumberOfRowsHasNoShapeBeforeItRuns) {
  ProtoWriter graph, w;
  graph.message(1, node("NonZero", {"x"}, "columns")).message(1, transpose("columns", "rows"));
  graph.message(1, cast("rows", "X")).message(1, node("MatMul", {"X", "W"}, "y").bytes(7, "vidrt"));
  graph.bytes(2, "product");
  w.varint(1, 2).varint(1, 3).varint(2, kOnnxFloat).bytes(8, "W");
  for (const float value : {1.0f, 0.0f, 2.0f, 0.0f, 1.0f, 3.0f}) w.fixed32(4, value);
  graph.message(5, w).message(11, value_info_proto({"x", DType::kFloat32, {"2", "3"}}));
  const ProtoWriter no_shape = ProtoWriter().message(1, ProtoWriter().varint(1, kOnnxFloat));
  graph.message(12, ProtoWriter().bytes(1, "y").message(2, no_shape));
  ProtoWriter model = model_proto(graph, 20);
  model.message(8, ProtoWriter().bytes(1, "vidrt").varint(2, 1));
  const ConvSession session(model.data());
  EXPECT_EQ(session.output_shape(0), std::vector<std::string>{});
  std::vector<float> x = {0, 0, 1, 1, 0, 0}, y(6);
  session.run({{"x", 1, {2, 3}, x.data(), 24}}, {{"y", 1, {2, 3}, y.data(), 24}});
  EXPECT_EQ(y, (std::vector<float>{0, 2, 6, 1, 0, 2}));
}

}  // namespace
}  // namespace vidrt::testing
