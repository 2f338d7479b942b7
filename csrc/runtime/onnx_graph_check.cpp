#include <algorithm>
#include <tuple>

#include "runtime/joined.h"
#include "runtime/onnx_graph.h"
#include "runtime/onnx_tensor.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw BundleError(file + ": " + what + ". The graph and manifest.json do not belong together; fetch or export the " +
                    "bundle again.");
}

std::string joined_or_none(const std::vector<std::string>& words) { return words.empty() ? "none" : joined(words); }

// Backends bind by name, so the order may differ.
void check_values(const std::vector<GraphValue>& values, const std::vector<TensorSpec>& declared,
                  const std::string& what, const std::string& file) {
  std::vector<std::string> got;
  std::vector<std::string> expected;
  for (const GraphValue& value : values) got.push_back(value.name);
  for (const TensorSpec& spec : declared) expected.push_back(spec.name);
  std::sort(got.begin(), got.end());
  std::sort(expected.begin(), expected.end());
  if (got != expected)
    fail(file, "its " + what + " are " + joined_or_none(got) + ", expected " + joined_or_none(expected));
  for (const TensorSpec& spec : declared) {
    const auto value = std::find_if(values.begin(), values.end(),
                                    [&](const GraphValue& candidate) { return candidate.name == spec.name; });
    if (value->data_type != onnx_data_type(spec.dtype)) {
      fail(file, "its tensor '" + spec.name + "' has the ONNX type " + std::to_string(value->data_type) +
                     ", expected " + dtype_name(spec.dtype));
    }
  }
}

void check_operators(const OnnxGraph& graph, const Variant& variant, const std::string& file) {
  const auto opset = graph.opsets.find("");
  if (opset == graph.opsets.end() || opset->second != variant.opset) {
    fail(file, "it has opset " + (opset == graph.opsets.end() ? "none" : std::to_string(opset->second)) +
                   ", expected " + std::to_string(variant.opset));
  }
  const std::vector<std::string> got(graph.custom_ops.begin(), graph.custom_ops.end());
  std::vector<std::string> expected = variant.custom_ops;
  std::sort(expected.begin(), expected.end());
  if (got != expected)
    fail(file, "its custom ops are " + joined_or_none(got) + ", expected " + joined_or_none(expected));
}

void check_range(const ExternalTensor& tensor, const Variant& variant,
                 const std::map<std::string, DataFile>& data_files, const std::string& file) {
  const std::vector<std::string>& allowed = variant.data_files;
  if (std::find(allowed.begin(), allowed.end(), tensor.location) == allowed.end()) {
    fail(file, "the tensor '" + tensor.name + "' lies in '" + tensor.location +
                   "', expected one of its data_files: " + joined_or_none(allowed));
  }
  const std::uint64_t size = data_files.at(tensor.location).bytes;
  if (tensor.offset > size || tensor.length > size - tensor.offset) {
    fail(file, "the tensor '" + tensor.name + "' has " + std::to_string(tensor.length) + " bytes at " +
                   std::to_string(tensor.offset) + " of '" + tensor.location + "', which has only " +
                   std::to_string(size));
  }
}

}  // namespace

std::uint64_t check_onnx_graph(const OnnxGraph& graph, const Variant& variant,
                               const std::map<std::string, DataFile>& data_files, const std::string& file) {
  check_operators(graph, variant, file);
  check_values(graph.inputs, variant.inputs, "inputs", file);
  check_values(graph.outputs, variant.outputs, "outputs", file);
  std::set<std::tuple<std::string, std::uint64_t, std::uint64_t>> ranges;  // tied weights are stored once
  std::uint64_t bytes = 0;
  for (const ExternalTensor& tensor : graph.external) {
    check_range(tensor, variant, data_files, file);
    // Ranges that overlap without being equal could add up to more than any file; a sum that wraps would hide that.
    if (ranges.emplace(tensor.location, tensor.offset, tensor.length).second) {
      if (bytes + tensor.length < bytes) fail(file, "its weights add up to more than 64 bits can count");
      bytes += tensor.length;
    }
  }
  return bytes;
}

}  // namespace vidrt
