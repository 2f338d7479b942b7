// A graph in ONNX Runtime: on the caller's memory, at any shape, and usable after whatever went wrong.
#include "onnxruntime/ort_session.h"

#include <algorithm>
#include <numeric>
#include <thread>

#include "runtime/backends.h"
#include "support/memory_growth.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/throws.h"
#include "support/toy_bundle.h"

namespace vidrt::testing {
namespace {

// The first bytes of the toy bundle's weights, 0x00 0x25, are this number in half precision.
constexpr float kScale = 0.01953125f;

class OrtSessionTest : public OrtTest {
 protected:
  // prediction = latents * float(scale), scale being a float16 weight outside the graph.
  std::string graph(const std::string& op_type = "Mul") const {
    const Bundle bundle = Bundle::open(toy.path());
    const Variant& variant = bundle.module("denoiser").variants[0];
    ProtoWriter graph;
    graph.message(1, ProtoWriter()
                         .bytes(1, "scale")
                         .bytes(2, "scale.float")
                         .bytes(4, "Cast")
                         .message(5, ProtoWriter().bytes(1, "to").varint(3, 1).varint(20, 2)));
    graph.message(1,
                  ProtoWriter().bytes(1, "latents").bytes(1, "scale.float").bytes(2, "prediction").bytes(4, op_type));
    graph.bytes(2, "scaling");
    graph.message(5, tensor_proto("scale", {1}, 10, {{"location", toy.weights()}, {"offset", "0"}, {"length", "2"}}));
    for (const TensorSpec& spec : variant.inputs) graph.message(11, value_info_proto(spec));
    for (const TensorSpec& spec : variant.outputs) graph.message(12, value_info_proto(spec));
    return model_proto(graph, variant.opset).data();
  }

  std::unique_ptr<Session> load() {
    toy.replace_graph("denoiser", graph());
    return load_again();
  }

  std::unique_ptr<Session> load_again() const {
    const Bundle bundle = Bundle::open(toy.path());
    SessionOptions options;
    options.threads = 1;
    return make_backend("onnxruntime", "cpu")
        ->load({bundle, "denoiser", bundle.module("denoiser").variants[0], {}}, options);
  }

  ToyBundle toy;
};

// The memory of one run at a latent size.
struct Tensors {
  explicit Tensors(std::int64_t frames, std::int64_t size = 2)
      : shape{1, 4, frames, size, size},
        latents(static_cast<std::size_t>(element_count(shape))),
        prediction(latents.size(), -1.0f),
        timestep(static_cast<std::size_t>(frames)),
        text(16 * 6),
        mask(16) {
    std::iota(latents.begin(), latents.end(), 1.0f);
  }

  std::vector<NamedTensor> inputs() {
    return {{"latents", {latents.data(), DType::kFloat32, shape}},
            {"timestep", {timestep.data(), DType::kFloat32, {1, shape[2]}}},
            {"text_embeds", {text.data(), DType::kFloat32, {1, 16, 6}}},
            {"text_mask", {mask.data(), DType::kInt64, {1, 16}}}};
  }
  std::vector<NamedTensor> outputs() { return {{"prediction", {prediction.data(), DType::kFloat32, shape}}}; }

  bool scaled() const {
    for (std::size_t i = 0; i < latents.size(); ++i) {
      if (prediction[i] != latents[i] * kScale) return false;
    }
    return true;
  }

  Shape shape;
  std::vector<float> latents, prediction, timestep, text;
  std::vector<std::int64_t> mask;
};

::testing::AssertionResult runs(Session& session, std::int64_t frames = 3) {
  Tensors tensors(frames);
  session.run(tensors.inputs(), tensors.outputs(), {});
  return tensors.scaled() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "wrong values";
}

TEST_F(OrtSessionTest, MemoryThatIsRefusedIsAnErrorOfItsOwn) {
  const OrtApi& api = *ort_library().api;
  const auto check = [&](const char* message) { check_ort(api, api.CreateStatus(ORT_FAIL, message), "running"); };
  for (const char* message : {"BFCArena::AllocateRawInternal: Failed to allocate memory for requested buffer of size 8",
                              "std::bad_alloc", "CUDA failure 2: out of memory"}) {
    EXPECT_TRUE(names(message_of<OutOfMemory>([&] { check(message); }), {"running failed in ONNX Runtime", message}));
  }
  EXPECT_TRUE(names(message_of<BackendError>([&] { check("no such input"); }), {"no such input"}));
}

TEST_F(OrtSessionTest, ResultsLieInTheCallersMemory) { EXPECT_TRUE(runs(*load())); }

TEST_F(OrtSessionTest, ShapesMayChangeFromRunToRun) {
  const auto session = load();
  for (const std::int64_t frames : {1, 5, 2, 5}) EXPECT_TRUE(runs(*session, frames)) << frames;
}

TEST_F(OrtSessionTest, BoundMemoryIsReadAnewInEveryRun) {
  const auto session = load();
  Tensors tensors(2);
  for (int round = 0; round < 3; ++round) {
    for (float& value : tensors.latents) value += 1.0f;
    session->run(tensors.inputs(), tensors.outputs(), {});
    EXPECT_TRUE(tensors.scaled()) << round;
  }
}

TEST_F(OrtSessionTest, TheSameMemoryMayHaveAnotherShapeInTheNextRun) {
  const auto session = load();
  Tensors tensors(4);
  session->run(tensors.inputs(), tensors.outputs(), {});
  tensors.shape = {1, 4, 1, 2, 2};
  std::fill(tensors.prediction.begin(), tensors.prediction.end(), -1.0f);
  session->run(tensors.inputs(), tensors.outputs(), {});
  EXPECT_EQ(tensors.prediction[15], tensors.latents[15] * kScale);
  EXPECT_EQ(tensors.prediction[16], -1.0f);  // beyond the smaller tensor
}

TEST_F(OrtSessionTest, AnOutputOfAnotherShapeIsAnErrorAndTheSessionGoesOn) {
  const auto session = load();
  Tensors tensors(3);
  std::vector<NamedTensor> outputs = tensors.outputs();
  outputs[0].view.shape = {1, 4, 3, 2, 1};
  EXPECT_TRUE(
      names(message_of<BackendError>([&] { session->run(tensors.inputs(), outputs, {}); }), {"running denoiser"}));
  EXPECT_TRUE(runs(*session));
}

TEST_F(OrtSessionTest, AnInputOfAnotherTypeOrNameIsAnErrorAndTheSessionGoesOn) {
  const auto session = load();
  Tensors tensors(3);
  std::vector<NamedTensor> wrong_type = tensors.inputs();
  wrong_type[1].view.dtype = DType::kInt32;
  EXPECT_TRUE(names(message_of<BackendError>([&] { session->run(wrong_type, tensors.outputs(), {}); }), {"denoiser"}));
  std::vector<NamedTensor> wrong_name = tensors.inputs();
  wrong_name[0].name = "noise";
  EXPECT_TRUE(names(message_of<BackendError>([&] { session->run(wrong_name, tensors.outputs(), {}); }), {"denoiser"}));
  EXPECT_THROW(session->run(wrong_name, tensors.outputs(), {}), BackendError);  // not taken for bound the second time
  session->run(tensors.inputs(), tensors.outputs(), {});
  EXPECT_TRUE(tensors.scaled());
}

TEST_F(OrtSessionTest, AGraphThatCannotBeRunIsNamed) {
  toy.replace_graph("denoiser", graph("NoSuchOperator"));
  EXPECT_TRUE(names(message_of<BackendError>([&] { load_again(); }), {"loading denoiser", "NoSuchOperator"}));
}

TEST_F(OrtSessionTest, AGraphEditedAfterTheBundleWasOpenedIsRefused) {
  toy.replace_graph("denoiser", graph());
  const Bundle bundle = Bundle::open(toy.path());
  const Variant& variant = bundle.module("denoiser").variants[0];
  std::string edited = graph();
  edited.back() = static_cast<char>(edited.back() ^ 1);
  toy.write(variant.file, edited);
  const auto backend = make_backend("onnxruntime", "cpu");
  EXPECT_TRUE(names(message_of<BundleError>([&] {
                      backend->load({bundle, "denoiser", variant, {}}, {});
                    }),
                    {"SHA-256"}));
}

TEST_F(OrtSessionTest, FourSessionsRunInFourThreads) {
  std::vector<std::unique_ptr<Session>> sessions;
  sessions.push_back(load());
  while (sessions.size() < 4) sessions.push_back(load_again());
  std::vector<std::thread> threads;
  std::vector<int> right(sessions.size());
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) right[i] += runs(*sessions[i], 1 + round % 4) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : right) EXPECT_EQ(count, 50);
}

TEST_F(OrtSessionTest, LoadingAndUnloadingDoesNotGrowMemory) {
  if (under_sanitizer()) GTEST_SKIP() << "a sanitizer keeps freed memory, so growth cannot be measured";
  load();
  std::int64_t warm = 0;
  for (int cycle = 0; cycle < 300; ++cycle) {
    EXPECT_TRUE(runs(*load_again()));
    if (cycle == 100) warm = resident_kib();
  }
  EXPECT_LE(resident_kib() - warm, 4096);
}

}  // namespace
}  // namespace vidrt::testing
