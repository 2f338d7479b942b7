#include "runtime/conv_sums.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "runtime/graph_node.h"
#include "runtime/lifted_graph.h"
#include "runtime/onnx_tensor.h"
#include "runtime/onnx_writer.h"
#include "runtime/protobuf_reader.h"
#include "runtime/streamed_kernels.h"
#include "vidrt/tensor.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kOnnxInt64 = 7;  // TensorProto.DataType.INT64
constexpr std::size_t kMostAxes = 64;
constexpr std::size_t kMostNumbers = 1U << 20U;
constexpr std::int64_t kFrameAxis = 2;      // of a kernel (O,C,T,h,w)
constexpr std::int64_t kMostFrames = 16;    // of a kernel
constexpr std::int64_t kLeastChannels = 8;  // of fewer, transforming takes longer than it saves

// What a value is of an initialiser.
struct KernelValue {
  std::string initializer;
  bool as_float = false;    // float32, perhaps by a cast
  std::int64_t frame = -1;  // the one that was sliced out
  bool over_frame = false;  // without the axis that it was sliced along
};

// A sum that is being put together.
struct Sum {
  std::vector<std::string> inputs;  // what is convolved
  std::vector<std::uint64_t> kernels, frames;
  std::string bias;
};

class Summer {
 public:
  explicit Summer(const std::string& file) : subject_("'" + file + "' is no valid ONNX graph") {}

  ConvSumGraph sum(std::string_view message) {
    ProtobufReader model(message, subject_);
    while (model.next()) {
      if (model.field() == 7) {
        append_bytes_field(&result_.model, 7, sum_graph(model.bytes()));
      } else {
        result_.model.append(model.raw());
      }
    }
    if (!result_.sums.empty()) append_bytes_field(&result_.model, 8, opset_proto(kStreamingDomain));
    return std::move(result_);
  }

 private:
  std::string sum_graph(std::string_view message) {
    read(message);
    if (has_subgraphs_) return std::string(message);
    for (std::size_t i = 0; i < nodes_.size(); ++i) visit(i);
    drop_makers();
    std::string summed;
    ProtobufReader graph(message, subject_);
    std::size_t index = 0;
    while (graph.next()) {
      if (graph.field() == 1) {
        write_node(index++, graph, &summed);
      } else if (graph.field() != 5 || !is_unused_kernel(read_onnx_tensor(graph.bytes(), subject_).stored.name)) {
        summed.append(graph.raw());
      }
    }
    return summed;
  }

  void read(std::string_view message) {
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() == 1) add_node(read_graph_node(graph.bytes(), subject_));
      if (graph.field() == 5) add_initializer(graph.bytes());
      // By whoever runs the graph.
      if (graph.field() == 11 || graph.field() == 12) ++uses_[value_name(graph.bytes(), subject_)];
    }
  }

  void add_node(GraphNode node) {
    has_subgraphs_ = has_subgraphs_ || node.has_subgraph;
    for (const std::string& input : node.inputs) ++uses_[input];
    nodes_.push_back(std::move(node));
  }

  void add_initializer(std::string_view message) {
    OnnxTensor tensor = read_onnx_tensor(message, subject_);
    if (!tensor.external) {
      if (const std::optional<std::int64_t> index = read_index(message)) indices_[tensor.stored.name] = *index;
      return;
    }
    if (!is_onnx_float(tensor.stored.data_type) || tensor.stored.offset % kWeightAlignment != 0) return;
    const bool as_float = dtype_from_onnx(tensor.stored.data_type) == DType::kFloat32;
    values_[tensor.stored.name] = {tensor.stored.name, as_float};
    tensors_[tensor.stored.name] = std::move(tensor.stored);
  }

  // The number of a tensor of one int64.
  std::optional<std::int64_t> read_index(std::string_view message) const {
    ProtobufReader tensor(message, subject_);
    std::vector<std::int64_t> dims, numbers;
    std::uint64_t data_type = 0;
    while (tensor.next()) {
      if (tensor.field() == 1) tensor.append_varints(&dims, kMostAxes);
      if (tensor.field() == 2) data_type = tensor.varint();
      if (tensor.field() == 7) tensor.append_varints(&numbers, kMostNumbers);
      if (tensor.field() == 9 && tensor.bytes().size() == sizeof(std::int64_t)) {
        numbers.emplace_back();
        std::memcpy(&numbers.back(), tensor.bytes().data(), sizeof(std::int64_t));
      }
    }
    const bool is_index = data_type == kOnnxInt64 && dims == std::vector<std::int64_t>{1} && numbers.size() == 1;
    return is_index ? std::optional(numbers[0]) : std::nullopt;
  }

  // Nodes come in topological order.
  void visit(std::size_t index) {
    const GraphNode& node = nodes_[index];
    if (node.convolves()) {
      begin(index);
    } else if (node.standard && node.op_type == "Add" && node.inputs.size() == 2 && node.outputs.size() == 1) {
      join(index);
    } else if (std::optional<KernelValue> value = made_of_kernel(node)) {
      values_[node.outputs[0]] = *value;
      makers_.push_back(index);
    }
  }

  std::optional<KernelValue> made_of_kernel(const GraphNode& node) const {
    if (!node.standard || node.inputs.empty() || node.outputs.size() != 1) return std::nullopt;
    const auto found = values_.find(node.inputs[0]);
    if (found == values_.end()) return std::nullopt;
    KernelValue value = found->second;
    const auto index = [&](std::size_t input) {
      const auto number = input < node.inputs.size() ? indices_.find(node.inputs[input]) : indices_.end();
      return number == indices_.end() ? std::int64_t{-1} : number->second;
    };
    const std::vector<std::int64_t>& dims = tensors_.at(value.initializer).dims;
    if (node.casts_to_float()) {
      value.as_float = true;
    } else if (node.op_type == "Slice" && dims.size() == 5 && value.frame < 0) {
      value.frame = index(1);
      const bool is_step_of_one = node.inputs.size() < 5 || node.inputs[4].empty() || index(4) == 1;
      const bool is_frame = value.frame >= 0 && value.frame < dims[2] && index(2) == value.frame + 1;
      if (!is_frame || index(3) != kFrameAxis || !is_step_of_one) return std::nullopt;
    } else if (node.op_type == "Squeeze" && value.frame >= 0 && !value.over_frame && index(1) == kFrameAxis) {
      value.over_frame = true;
    } else {
      return std::nullopt;
    }
    return value;
  }

  bool is_summable(const GraphNode& conv, const KernelValue& kernel) const {
    const std::vector<std::int64_t>& dims = tensors_.at(kernel.initializer).dims;
    const std::size_t rank = dims.size();
    const bool is_whole = kernel.frame < 0;
    if (!kernel.as_float || (is_whole ? rank != 4 && rank != 5 : !kernel.over_frame)) return false;
    return conv.keeps_frame_size(is_whole ? rank - 2 : 2) && dims[rank - 2] == 3 && dims[rank - 1] == 3 &&
           dims[0] >= kLeastChannels && dims[1] >= kLeastChannels && dims[2] > 0 && dims[2] <= kMostFrames;
  }

  void begin(std::size_t index) {
    const GraphNode& node = nodes_[index];
    const auto value = values_.find(node.inputs[1]);
    if (value == values_.end() || !is_summable(node, value->second)) return;
    const auto& [initializer, as_float, frame, over_frame] = value->second;
    const auto [place, is_new] = kernels_.emplace(initializer, result_.kernels.size());
    if (is_new) result_.kernels.push_back(tensors_.at(initializer));
    const std::vector<std::int64_t>& dims = tensors_.at(initializer).dims;
    const bool of_clip = frame < 0 && dims.size() == 5;
    Sum& sum = sums_[index];
    sum.inputs = {node.inputs[0]};
    sum.frames.resize(of_clip ? static_cast<std::size_t>(dims[kFrameAxis]) : 1);
    std::iota(sum.frames.begin(), sum.frames.end(), static_cast<std::uint64_t>(std::max<std::int64_t>(frame, 0)));
    sum.kernels.assign(sum.frames.size(), place->second);
    if (node.inputs.size() > 2) sum.bias = node.inputs[2];
    if (!of_clip) ends_[node.outputs[0]] = index;
    --uses_[node.inputs[1]];
  }

  const ExternalTensor& kernel_of(const Sum& sum) const { return result_.kernels[sum.kernels.front()]; }

  void join(std::size_t index) {
    const GraphNode& node = nodes_[index];
    const auto a = ends_.find(node.inputs[0]);
    const auto b = ends_.find(node.inputs[1]);
    if (a == ends_.end() || b == ends_.end() || a == b || uses_[a->first] != 1 || uses_[b->first] != 1) return;
    const Sum left = sums_[a->second];
    const Sum right = sums_[b->second];
    if (kernel_of(left).data_type != kernel_of(right).data_type) return;
    if (kernel_of(left).dims[0] != kernel_of(right).dims[0]) return;
    if (!left.bias.empty() && !right.bias.empty()) return;
    Sum joined = left;
    joined.inputs.insert(joined.inputs.end(), right.inputs.begin(), right.inputs.end());
    joined.kernels.insert(joined.kernels.end(), right.kernels.begin(), right.kernels.end());
    joined.frames.insert(joined.frames.end(), right.frames.begin(), right.frames.end());
    joined.bias += right.bias;
    for (const auto& part : {a, b}) {
      sums_.erase(part->second);
      dropped_.insert(part->second);
      ends_.erase(part);
    }
    sums_[index] = std::move(joined);
    ends_[node.outputs[0]] = index;
  }

  // What was made of kernels, where nobody wants it any more.
  void drop_makers() {
    for (auto index = makers_.rbegin(); index != makers_.rend(); ++index) {
      const GraphNode& node = nodes_[*index];
      if (uses_[node.outputs[0]] != 0) continue;
      for (const std::string& input : node.inputs) --uses_[input];
      dropped_.insert(*index);
    }
  }

  bool is_unused_kernel(const std::string& initializer) const {
    return kernels_.count(initializer) != 0 && uses_.at(initializer) == 0;
  }

  // The node at which a sum ends is where it stands.
  void write_node(std::size_t index, const ProtobufReader& graph, std::string* summed) {
    if (dropped_.count(index) != 0) return;
    const auto found = sums_.find(index);
    if (found == sums_.end()) {
      summed->append(graph.raw());
      return;
    }
    const Sum& sum = found->second;
    std::string node;
    for (const std::string& input : sum.inputs) append_bytes_field(&node, 1, input);
    if (!sum.bias.empty()) append_bytes_field(&node, 1, sum.bias);
    const std::string& output = nodes_[index].outputs[0];
    append_bytes_field(&node, 2, output);
    append_bytes_field(&node, 3, output);
    append_bytes_field(&node, 4, kConvSum);
    append_bytes_field(&node, 5, ints_attribute_proto(kKernelsAttribute, sum.kernels));
    append_bytes_field(&node, 5, ints_attribute_proto(kFramesAttribute, sum.frames));
    append_bytes_field(&node, 7, kStreamingDomain);
    append_bytes_field(summed, 1, node);
    result_.sums.emplace_back(sum.kernels.begin(), sum.kernels.end());
  }

  std::string subject_;
  std::vector<GraphNode> nodes_;
  std::map<std::string, std::size_t> uses_;        // of a value, by what stays
  std::map<std::string, std::int64_t> indices_;    // initialisers of one number
  std::map<std::string, ExternalTensor> tensors_;  // initialisers that may be kernels
  std::map<std::string, KernelValue> values_;      // they, and what is made of them
  std::vector<std::size_t> makers_;                // the nodes that make it
  std::map<std::string, std::size_t> kernels_;     // of result_.kernels, by their names
  std::map<std::size_t, Sum> sums_;                // by the node that they end with
  std::map<std::string, std::size_t> ends_;        // the same node, by its result
  std::set<std::size_t> dropped_;                  // nodes that are done by a later one, or for nobody
  bool has_subgraphs_ = false;
  ConvSumGraph result_;
};

}  // namespace

std::vector<StreamableWeight> ConvSumGraph::weights() const {
  std::vector<std::uint64_t> together(kernels.size(), 0);  // what is in memory while a kernel is
  for (const std::set<std::size_t>& sum : sums) {
    std::uint64_t bytes = 0;
    for (const std::size_t kernel : sum) bytes += kernels[kernel].length;
    for (const std::size_t kernel : sum) together[kernel] = std::max(together[kernel], bytes);
  }
  std::vector<StreamableWeight> found;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    StreamableWeight weight{kernels[i].name, StreamableWeight::Use::kKernel, kernels[i].length};
    weight.float_bytes = static_cast<std::uint64_t>(element_count(kernels[i].dims)) * sizeof(float);
    weight.held_bytes = kernels[i].length;
    weight.staged_bytes = together[i];
    found.push_back(std::move(weight));
  }
  return found;
}

ConvSumGraph sum_convolutions(std::string_view model, const std::string& file) { return Summer(file).sum(model); }

}  // namespace vidrt
