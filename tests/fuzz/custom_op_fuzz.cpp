// The operators as ONNX Runtime calls them: a node with any attributes, inputs and outputs gives a result, or a status
// that names the node. What was inferred of the result's shape is the shape that it has.
//
// A node is written as lines of words:
//   op DepthwiseConv3d
//   node conv1
//   attribute strides ints 1 2 1
//   attribute activation text silu
//   in float32 constant 3 1 3 3 3     ("in" alone: absent; a word for a size: not known)
//   out Y
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "onnxruntime/custom_ops/custom_op.h"
#include "support/fake_ort.h"

namespace {

using vidrt::custom_ops::CustomOp;
using vidrt::custom_ops::Signature;
using vidrt::testing::FakeNode;
using vidrt::testing::FakeTensor;

// A fault that no sanitizer sees.
void insist(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "fault: " << what << '\n';
  std::abort();
}

ONNXTensorElementDataType type_of(const std::string& word) {
  if (word == "float16") return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  if (word == "bfloat16") return ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
  return word == "float32" ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT : ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
}

bool is_number(const std::string& word) {
  const std::size_t digits = word.find_first_not_of('-') == 1 ? 1 : 0;
  return word.size() > digits && word.find_first_not_of("0123456789", digits) == std::string::npos;
}

std::int64_t number(const std::string& word) { return std::strtoll(word.c_str(), nullptr, 10); }

std::optional<FakeTensor> read_input(std::istringstream& words) {
  std::string word;
  if (!(words >> word)) return std::nullopt;
  FakeTensor tensor;
  tensor.type = type_of(word);
  bool constant = false;
  while (words >> word) {
    if (word == "constant") {
      constant = true;
      continue;
    }
    tensor.dims.push_back(is_number(word) ? std::max<std::int64_t>(number(word), -1) : -1);
    tensor.symbols.push_back(is_number(word) ? "" : word);
  }
  tensor.constant = tensor.allocate(FakeNode::kMostElements) && constant;
  return tensor;
}

void read_attribute(std::istringstream& words, FakeNode& node) {
  std::string name;
  std::string type;
  std::string word;
  words >> name >> type;
  if (type == "ints") {
    std::vector<std::int64_t> numbers;
    while (words >> word) numbers.push_back(number(word));
    node.attributes[name] = numbers;
  } else if (type == "float") {
    node.attributes[name] = 1.0f;
  } else {
    words >> word;
    node.attributes[name] = word;
  }
}

// Every node has the required inputs, X's type is one that there is a kernel for, and there is an output: ONNX Runtime
// sees to that.
bool is_node(const FakeNode& node, const Signature& signature) {
  if (node.outputs.empty() || node.inputs.size() > signature.inputs.size()) return false;
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const bool present = i < node.inputs.size() && node.inputs[i].has_value();
    if (!present && !is_optional(signature.inputs[i])) return false;
  }
  return node.inputs[0]->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
}

bool has_tensors(const FakeNode& node) {
  return std::none_of(node.inputs.begin(), node.inputs.end(),
                      [](const std::optional<FakeTensor>& input) { return input && input->data == nullptr; });
}

bool succeeded(OrtStatus* status) {
  if (status == nullptr) return true;
  const OrtApi& api = vidrt::testing::fake_ort_api();
  const std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  insist(message.find("vidrt::Depthwise") == 0, "a message does not name the node");
  return false;
}

void check_inferred(const FakeNode& node) {
  if (!node.inferred || node.results.count(0) == 0) return;
  const FakeTensor& result = node.results.at(0);
  insist(node.inferred->dims.size() == result.dims.size(), "a rank was inferred wrongly");
  for (std::size_t i = 0; i < result.dims.size(); ++i) {
    const std::int64_t size = node.inferred->dims[i];
    insist(size == -1 || size == result.dims[i], "a size was inferred wrongly");
  }
}

void use(FakeNode& node, const Signature& signature) {
  const OrtApi& api = vidrt::testing::fake_ort_api();
  const CustomOp op(signature, node.inputs[0]->type, api, true, 2);
  insist(op.InferOutputShapeFn(&op, node.shapes()) == nullptr, "inference gave a status, which nobody releases");
  void* kernel = nullptr;
  if (!succeeded(op.CreateKernelV2(&op, &api, node.info(), &kernel))) return;
  if (has_tensors(node) && succeeded(op.KernelComputeV2(kernel, node.context()))) check_inferred(node);
  op.KernelDestroy(kernel);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  FakeNode node;
  std::string op;
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "op") words >> op;
    if (word == "node") words >> node.name;
    if (word == "attribute") read_attribute(words, node);
    if (word == "in") node.inputs.push_back(read_input(words));
    if (word == "out") node.outputs.emplace_back(words >> word ? word : "");
  }
  for (const Signature& signature : vidrt::custom_ops::signatures()) {
    if (op == signature.name && is_node(node, signature)) use(node, signature);
  }
  return 0;
}
