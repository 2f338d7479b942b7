// A bundle with a variant that needs the operators: the core's own sessions have them, on the processor.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/half_types.h"
#include "runtime/backends.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/throws.h"
#include "support/toy_bundle.h"

namespace vidrt::testing {
namespace {

constexpr int kChannels = 4;

class OrtOperatorVariantTest : public OrtTest {
 protected:
  void SetUp() override {
    OrtTest::SetUp();
    if (IsSkipped()) return;
    const std::string with_operator = graph();
    toy.edit([&](nlohmann::json& manifest) {
      nlohmann::json& variants = manifest["modules"]["denoiser"]["variants"];
      variants[0]["backends"] = {"onnxruntime", "onnxruntime-cuda"};
      nlohmann::json plain = variants[0];
      plain["id"] = "plain";
      plain["file"] = "plain.onnx";
      toy.write("plain.onnx", read_bytes(toy.file_path(variants[0]["file"])));
      variants[0]["custom_ops"] = {"vidrt::DepthwiseConv3d"};
      variants.push_back(plain);
    });
    toy.replace_graph("denoiser", with_operator);
  }

  // prediction = latents times a weight for each channel, a filter of one tap: float16 in the file, cast to float32.
  std::string graph() const {
    const Bundle bundle = Bundle::open(toy.path());
    const Variant& variant = bundle.module("denoiser").variants[0];
    ProtoWriter graph;
    graph.message(1, ProtoWriter()
                         .bytes(1, "w")
                         .bytes(2, "w.float")
                         .bytes(4, "Cast")
                         .message(5, ProtoWriter().bytes(1, "to").varint(3, 1).varint(20, 2)));
    graph.message(1, ProtoWriter()
                         .bytes(1, "latents")
                         .bytes(1, "w.float")
                         .bytes(2, "prediction")
                         .bytes(4, "DepthwiseConv3d")
                         .bytes(7, "vidrt"));
    graph.bytes(2, "scaling");
    graph.message(5, tensor_proto("w", {kChannels, 1, 1, 1, 1}, 10,
                                  {{"location", toy.weights()}, {"offset", "0"}, {"length", "8"}}));
    for (const TensorSpec& spec : variant.inputs) graph.message(11, value_info_proto(spec));
    for (const TensorSpec& spec : variant.outputs) graph.message(12, value_info_proto(spec));
    return ProtoWriter()
        .varint(1, 10)
        .message(7, graph)
        .message(8, ProtoWriter().varint(2, static_cast<std::uint64_t>(variant.opset)))
        .message(8, ProtoWriter().bytes(1, "vidrt").varint(2, 1))
        .data();
  }

  std::vector<float> weights() const {
    const std::string bytes = read_bytes(toy.file_path(toy.weights()));
    std::vector<float> values;
    for (int c = 0; c < kChannels; ++c) {
      kernels::Float16 half;
      std::memcpy(&half.bits, bytes.data() + 2 * c, 2);
      values.push_back(kernels::to_float(half));
    }
    return values;
  }

  ToyBundle toy;
};

TEST_F(OrtOperatorVariantTest, RunsInTheCoresOwnSession) {
  const Bundle bundle = Bundle::open(toy.path());
  const auto backend = make_backend("onnxruntime", "cpu");
  const Variant& variant = choose_variant(bundle, bundle.module("denoiser"), *backend, "");
  EXPECT_EQ(variant.custom_ops, std::vector<std::string>{"vidrt::DepthwiseConv3d"});
  SessionOptions options;
  options.threads = 1;
  const std::unique_ptr<Session> session = backend->load({bundle, "denoiser", variant, {}}, options);
  const Shape shape = {1, kChannels, 2, 2, 2};
  std::vector<float> latents(static_cast<std::size_t>(element_count(shape)));
  std::iota(latents.begin(), latents.end(), 1.0f);
  std::vector<float> prediction(latents.size());
  std::vector<float> timestep(2);
  std::vector<float> text(16 * 6);
  std::vector<std::int64_t> mask(16);
  session->run({{"latents", {latents.data(), DType::kFloat32, shape}},
                {"timestep", {timestep.data(), DType::kFloat32, {1, 2}}},
                {"text_embeds", {text.data(), DType::kFloat32, {1, 16, 6}}},
                {"text_mask", {mask.data(), DType::kInt64, {1, 16}}}},
               {{"prediction", {prediction.data(), DType::kFloat32, shape}}}, {});
  const std::vector<float> factors = weights();
  for (std::size_t i = 0; i < latents.size(); ++i) EXPECT_EQ(prediction[i], latents[i] * factors[i / 8]) << i;
}

TEST_F(OrtOperatorVariantTest, IsNotTakenOnAGpu) {
  const auto backend = make_backend("onnxruntime-cuda", "cuda:0");  // opens the library, and no device yet
  EXPECT_FALSE(backend->has_custom_op("vidrt::DepthwiseConv3d"));
  const Bundle bundle = Bundle::open(toy.path());
  EXPECT_EQ(choose_variant(bundle, bundle.module("denoiser"), *backend, "").id, "plain");
  const std::string refusal = message_of<BackendError>(
      [&] { choose_variant(bundle, bundle.module("denoiser"), *backend, bundle.module("denoiser").variants[0].id); });
  EXPECT_TRUE(names(refusal, {"vidrt::DepthwiseConv3d", "onnxruntime-cuda does not have"}));
}

}  // namespace
}  // namespace vidrt::testing
