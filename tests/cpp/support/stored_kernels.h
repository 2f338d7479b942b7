// A toy bundle whose denoiser convolves with kernels that are stored in files of their own.
#pragma once

#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/backends.h"
#include "runtime/sha256.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/small_graph.h"
#include "support/toy_bundle.h"

namespace vidrt::testing {

/// The parameter is the type that kernels are stored in: kOnnxFloat, kOnnxHalf or kOnnxBrain.
class StoredKernels : public OrtTest, public ::testing::WithParamInterface<int> {
 protected:
  static constexpr std::int64_t kChannels = 768;  // of the latents
  static constexpr std::uint64_t kAll = std::uint64_t{1} << 40U;
  static constexpr std::size_t kOffset = 64;  // of a kernel in its file

  StoredKernels() {
    toy.edit([&](nlohmann::json& manifest) {
      manifest["modules"]["denoiser"]["variants"][0]["storage"] = GetParam() == kOnnxFloat  ? "fp32"
                                                                  : GetParam() == kOnnxHalf ? "fp16"
                                                                                            : "bf16";
    });
  }

  static std::size_t element_bytes() { return GetParam() == kOnnxFloat ? 4 : 2; }
  static bool narrow() { return GetParam() != kOnnxFloat; }

  /// The file "weights/NAME.bin" with numbers that every type holds exactly, which are returned.
  std::vector<float> store(const std::string& name, std::size_t elements, unsigned seed) {
    std::mt19937 random(seed);
    std::string bytes(kOffset + elements * element_bytes(), '\0');
    std::vector<float> values(elements);
    for (std::size_t i = 0; i < elements; ++i) {
      values[i] = static_cast<float>(static_cast<int>(random() % 255) - 127) / 2048.0f;
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[i], sizeof(bits));
      if (GetParam() == kOnnxBrain) bits >>= 16U;
      if (GetParam() == kOnnxHalf) bits = half(bits);
      std::memcpy(&bytes[kOffset + i * element_bytes()], &bits, element_bytes());
    }
    const std::string location = "weights/" + name + ".bin";
    toy.write(location, bytes);
    toy.edit([&](nlohmann::json& manifest) {
      manifest["data_files"][location] = {{"bytes", bytes.size()}, {"sha256", sha256_of(bytes)}};
      manifest["modules"]["denoiser"]["variants"][0]["data_files"].push_back(location);
    });
    return values;
  }

  /// The initialiser of a kernel that was stored.
  static ProtoWriter stored(const std::string& name, const std::vector<std::int64_t>& dims) {
    std::size_t bytes = element_bytes();
    for (const std::int64_t dim : dims) bytes *= static_cast<std::size_t>(dim);
    return tensor_proto(name, dims, GetParam(),
                        {{"location", "weights/" + name + ".bin"},
                         {"offset", std::to_string(kOffset)},
                         {"length", std::to_string(bytes)}});
  }

  /// An initialiser of integers.
  static ProtoWriter shape(const std::string& name, const std::vector<std::int64_t>& dims) {
    ProtoWriter tensor;
    tensor.varint(1, dims.size()).varint(2, 7).bytes(8, name);
    for (const std::int64_t dim : dims) tensor.varint(7, static_cast<std::uint64_t>(dim));
    return tensor;
  }

  /// Make it the denoiser's graph, of latents (1,4,1,1,kChannels) to a prediction as large.
  void use(Graph graph) {
    const Variant variant = Bundle::open(toy.path()).module("denoiser").variants[0];
    graph.writer.bytes(2, "convolutions");
    for (const TensorSpec& spec : variant.inputs) graph.writer.message(11, value_info_proto(spec));
    for (const TensorSpec& spec : variant.outputs) graph.writer.message(12, value_info_proto(spec));
    toy.replace_graph("denoiser", model_proto(graph.writer, variant.opset).data());
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

  ModuleNeeds needs() const {
    const Bundle bundle = Bundle::open(toy.path());
    return make_backend("onnxruntime", "cpu")->needs({bundle, "denoiser", bundle.module("denoiser").variants[0], {}});
  }

  static std::vector<float> latents() {
    std::vector<float> values(4 * kChannels);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
    return values;
  }

  static std::vector<float> run(Session& session) {
    std::vector<float> input = latents(), prediction(input.size()), timestep(1), text(16 * 6);
    std::vector<std::int64_t> mask(16);
    session.run({{"latents", {input.data(), DType::kFloat32, {1, 4, 1, 1, kChannels}}},
                 {"timestep", {timestep.data(), DType::kFloat32, {1, 1}}},
                 {"text_embeds", {text.data(), DType::kFloat32, {1, 16, 6}}},
                 {"text_mask", {mask.data(), DType::kInt64, {1, 16}}}},
                {{"prediction", {prediction.data(), DType::kFloat32, {1, 4, 1, 1, kChannels}}}}, {});
    return prediction;
  }

  /// Of a mapped file what counts as the process's memory.
  static std::int64_t resident_kib_of(const std::string& file) {
    std::ifstream maps("/proc/self/smaps");
    std::int64_t kib = 0;
    bool ours = false;
    for (std::string line; std::getline(maps, line);) {
      if (line.find('-') < line.find(' ')) ours = line.find(file) != std::string::npos;  // a range of addresses
      if (ours && line.rfind("Rss:", 0) == 0) kib += std::stoll(line.substr(4));
    }
    return kib;
  }

  ToyBundle toy;

 private:
  // Of a number that is zero, or normal in half precision and held by it.
  static std::uint32_t half(std::uint32_t bits) {
    if ((bits & 0x7fffffffU) == 0) return bits >> 16U;
    return ((bits >> 16U) & 0x8000U) | (((bits & 0x7fffffffU) >> 13U) - (112U << 10U));
  }
};

inline std::string name_of_stored_type(const ::testing::TestParamInfo<int>& type) {
  return type.param == kOnnxFloat ? "Float32" : type.param == kOnnxHalf ? "Float16" : "BFloat16";
}

}  // namespace vidrt::testing
