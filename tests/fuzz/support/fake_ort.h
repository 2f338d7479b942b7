// The part of ONNX Runtime's C interface that the operators use, over a node made up by a test: nothing is loaded, and
// the sanitizers see every handle that is lost and every byte of a tensor that is read beyond its end.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vidrt::testing {

struct FakeTensor {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  std::vector<std::int64_t> dims;                   // -1: not known
  std::vector<std::string> symbols;                 // as many
  std::unique_ptr<unsigned char[]> data = nullptr;  // of exactly the tensor's size
  bool constant = false;

  /// Take memory for the elements; false where there are more than `most`, or sizes are not known.
  bool allocate(std::int64_t most);
};

struct FakeNode {
  std::string name;
  std::map<std::string, std::variant<std::string, std::vector<std::int64_t>, float>> attributes;
  std::vector<std::optional<FakeTensor>> inputs;
  std::vector<std::string> outputs;  // empty names: absent

  // What came of it.
  std::map<std::size_t, FakeTensor> results;
  std::optional<FakeTensor> inferred;  // the shape of output 0

  /// Elements that an output may have before there is no memory for it.
  static constexpr std::int64_t kMostElements = 1 << 15;

  OrtKernelInfo* info() { return reinterpret_cast<OrtKernelInfo*>(this); }
  OrtKernelContext* context() { return reinterpret_cast<OrtKernelContext*>(this); }
  OrtShapeInferContext* shapes() { return reinterpret_cast<OrtShapeInferContext*>(this); }
};

const OrtApi& fake_ort_api();

}  // namespace vidrt::testing
