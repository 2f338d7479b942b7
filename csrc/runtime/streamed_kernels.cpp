#include "runtime/streamed_kernels.h"

#include <map>
#include <utility>

#include "runtime/graph_node.h"
#include "runtime/onnx_tensor.h"
#include "runtime/onnx_writer.h"
#include "runtime/protobuf_reader.h"
#include "vidrt/tensor.h"

namespace vidrt {
namespace {

class Streamer {
 public:
  Streamer(const std::string& file, const std::set<std::string>& names)
      : subject_("'" + file + "' is no valid ONNX graph"), names_(names) {}

  StreamingGraph stream(std::string_view message) {
    ProtobufReader model(message, subject_);
    bool imported = false;  // by sums of convolutions
    while (model.next()) {
      if (model.field() == 7) {
        append_bytes_field(&result_.model, 7, stream_graph(model.bytes()));
      } else {
        result_.model.append(model.raw());
      }
      if (model.field() == 8) imported = imported || model.bytes() == opset_proto(kStreamingDomain);
    }
    if (!imported) append_bytes_field(&result_.model, 8, opset_proto(kStreamingDomain));
    return std::move(result_);
  }

 private:
  std::string stream_graph(std::string_view message) {
    read_kernels(message);
    std::string streaming;
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() == 1) {
        stream_node(graph, &streaming);
      } else if (graph.field() != 5 || !is_streamed(graph.bytes())) {
        streaming.append(graph.raw());
      }
    }
    return streaming;
  }

  bool is_streamed(std::string_view initializer) const {
    return names_.count(read_onnx_tensor(initializer, subject_).stored.name) != 0;
  }

  void read_kernels(std::string_view message) {
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() != 5 || !is_streamed(graph.bytes())) continue;
      ExternalTensor kernel = read_onnx_tensor(graph.bytes(), subject_).stored;
      kernels_[kernel.name] = result_.kernels.size();
      result_.kernels.push_back(std::move(kernel));
    }
  }

  // Nodes come in topological order.
  void stream_node(const ProtobufReader& graph, std::string* streaming) {
    const GraphNode node = read_graph_node(graph.bytes(), subject_);
    if (node.casts_to_float() && kernels_.count(node.inputs[0]) != 0) {
      kernels_[node.outputs[0]] = kernels_.at(node.inputs[0]);
      return;
    }
    if (node.standard && node.op_type == "Pad" && !node.inputs.empty() && node.outputs.size() == 1) {
      padded_[node.outputs[0]] = node.inputs[0];
    }
    if (!node.convolves() || kernels_.count(node.inputs[1]) == 0) {
      streaming->append(graph.raw());
      return;
    }
    const std::string weight = node.outputs[0] + "/weight";
    const std::size_t kernel = kernels_.at(node.inputs[1]);
    append_bytes_field(streaming, 1, reading_node(weight, after(node.inputs[0]), kernel));
    append_bytes_field(streaming, 1, node_with_second_input(graph.bytes(), weight, subject_));
    // Of a domain that is not its own, ONNX Runtime learns shapes by being told.
    append_bytes_field(streaming, 13, value_info_proto(weight, DType::kFloat32, result_.kernels[kernel].dims));
  }

  // What has to be there before the weight of a convolution of `x` is read: ONNX Runtime takes a Pad into the
  // convolution only where nobody else wants its result.
  const std::string& after(const std::string& x) const {
    const auto pad = padded_.find(x);
    return pad == padded_.end() ? x : pad->second;
  }

  static std::string reading_node(const std::string& weight, const std::string& after, std::size_t kernel) {
    std::string node;
    append_bytes_field(&node, 1, after);
    append_bytes_field(&node, 2, weight);
    append_bytes_field(&node, 3, weight);
    append_bytes_field(&node, 4, kReadWeight);
    append_bytes_field(&node, 5, int_attribute_proto(kWeightAttribute, kernel));
    append_bytes_field(&node, 7, kStreamingDomain);
    return node;
  }

  std::string subject_;
  const std::set<std::string>& names_;
  std::map<std::string, std::size_t> kernels_;  // by the name of their value: of the initialiser, or of its cast
  std::map<std::string, std::string> padded_;   // what a Pad reads, by the name of its result
  StreamingGraph result_;
};

}  // namespace

StreamingGraph stream_kernels(std::string_view model, const std::string& file, const std::set<std::string>& names) {
  if (names.empty()) return {std::string(model), {}};
  return Streamer(file, names).stream(model);
}

}  // namespace vidrt
