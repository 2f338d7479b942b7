#include "runtime/lifted_graph.h"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "runtime/onnx_tensor.h"
#include "runtime/protobuf_reader.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kWeightAlignment = 64;  // of the exporter's files; others are left to the backend
constexpr std::uint64_t kOnnxFloat = 1;           // TensorProto.DataType.FLOAT
constexpr std::size_t kMaxAttributeNumbers = 1U << 20U;

void append_varint(std::string* out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out->push_back(static_cast<char>(0x80U | (value & 0x7fU)));
  out->push_back(static_cast<char>(value));
}

void append_varint_field(std::string* out, std::uint32_t field, std::uint64_t value) {
  append_varint(out, std::uint64_t{field} << 3U);
  append_varint(out, value);
}

void append_bytes_field(std::string* out, std::uint32_t field, std::string_view value) {
  append_varint(out, (std::uint64_t{field} << 3U) | 2U);
  append_varint(out, value.size());
  out->append(value);
}

// A TensorProto that says its data lies elsewhere; the owner provides it before anybody looks.
std::string initializer_proto(const LiftedWeight& weight) {
  std::string tensor;
  for (const std::int64_t dim : weight.shape()) append_varint_field(&tensor, 1, static_cast<std::uint64_t>(dim));
  append_varint_field(&tensor, 2, static_cast<std::uint64_t>(onnx_data_type(weight.dtype())));
  append_bytes_field(&tensor, 8, weight.name);
  const std::uint64_t bytes = static_cast<std::uint64_t>(element_count(weight.shape())) * dtype_bytes(weight.dtype());
  const std::pair<const char*, std::string> place[] = {
      {"location", weight.stored.location}, {"offset", "0"}, {"length", std::to_string(bytes)}};
  for (const auto& [key, value] : place) {
    std::string entry;
    append_bytes_field(&entry, 1, key);
    append_bytes_field(&entry, 2, value);
    append_bytes_field(&tensor, 13, entry);
  }
  append_varint_field(&tensor, 14, 1);  // TensorProto.DataLocation.EXTERNAL
  return tensor;
}

// What of a NodeProto decides whether it can be computed on a weight beforehand.
struct Node {
  std::vector<std::string> inputs, outputs;
  std::string op_type;
  std::uint64_t cast_to = 0;             // attribute `to`
  std::vector<std::int64_t> permutation;  // attribute `perm`
  bool standard = true;                  // of ONNX's own domain
  bool has_subgraph = false;
};

class Lifter {
 public:
  explicit Lifter(const std::string& file) : subject_("'" + file + "' is no valid ONNX graph") {}

  LiftedGraph lift(std::string_view message) {
    ProtobufReader model(message, subject_);
    while (model.next()) {
      if (model.field() == 7) {
        append_bytes_field(&result_.model, 7, lift_graph(model.bytes()));
      } else {
        result_.model.append(model.raw());
      }
    }
    return std::move(result_);
  }

 private:
  std::string lift_graph(std::string_view message) {
    read_values(message);
    std::string lifted;
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() != 1 || !take_node(read_node(graph.bytes()))) lifted.append(graph.raw());
    }
    for (const auto& [name, weight] : weights_) {
      // What a subgraph captures is not looked for; where there is one, everything counts as read.
      if (read_.count(name) == 0 && !has_subgraphs_) continue;
      const bool in_graph = !weight.widened && !weight.transposed;
      if (in_graph && weight.stored.offset % kWeightAlignment != 0) continue;
      if (!in_graph) append_bytes_field(&lifted, 5, initializer_proto(weight));
      result_.weights.push_back(weight);
    }
    return lifted;
  }

  void read_values(std::string_view message) {
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() == 5) {
        OnnxTensor tensor = read_onnx_tensor(graph.bytes(), subject_);
        if (!tensor.external || !dtype_from_onnx(tensor.stored.data_type)) continue;
        const std::string name = tensor.stored.name;
        weights_[name] = LiftedWeight{name, std::move(tensor.stored), false, false};
      }
      if (graph.field() == 12) outputs_.insert(read_name(graph.bytes()));
    }
  }

  std::string read_name(std::string_view message) const {
    ProtobufReader value(message, subject_);
    std::string name;
    while (value.next()) {
      if (value.field() == 1) name = short_text(value);
    }
    return name;
  }

  // Whether the node's result is a weight now, and the node no longer needed. Nodes come in topological order.
  bool take_node(const Node& node) {
    has_subgraphs_ = has_subgraphs_ || node.has_subgraph;
    if (std::optional<LiftedWeight> weight = computed(node)) {
      weights_[weight->name] = *weight;
      return true;
    }
    for (const std::string& input : node.inputs) {
      if (weights_.count(input) != 0) read_.insert(input);
    }
    return false;
  }

  std::optional<LiftedWeight> computed(const Node& node) const {
    if (!node.standard || node.inputs.size() != 1 || node.outputs.size() != 1) return std::nullopt;
    const auto input = weights_.find(node.inputs[0]);
    if (input == weights_.end() || outputs_.count(node.outputs[0]) != 0) return std::nullopt;
    LiftedWeight weight = input->second;
    weight.name = node.outputs[0];
    if (node.op_type == "Cast" && is_narrow(weight.dtype()) && node.cast_to == kOnnxFloat) {
      weight.widened = true;
      return weight;
    }
    const bool flips = node.permutation == std::vector<std::int64_t>{1, 0} || node.permutation.empty();
    if (node.op_type == "Transpose" && weight.stored.dims.size() == 2 && flips) {
      weight.transposed = !weight.transposed;
      return weight;
    }
    return std::nullopt;
  }

  static bool is_narrow(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }

  Node read_node(std::string_view message) const {
    ProtobufReader reader(message, subject_);
    Node node;
    while (reader.next()) {
      if (reader.field() == 1) node.inputs.push_back(short_text(reader));
      if (reader.field() == 2) node.outputs.push_back(short_text(reader));
      if (reader.field() == 4) node.op_type = short_text(reader);
      if (reader.field() == 5) read_attribute(reader.bytes(), &node);
      if (reader.field() == 7) node.standard = reader.bytes().empty() || reader.bytes() == "ai.onnx";
    }
    return node;
  }

  void read_attribute(std::string_view message, Node* node) const {
    ProtobufReader attribute(message, subject_);
    std::string name;
    std::uint64_t number = 0;
    std::vector<std::int64_t> numbers;
    while (attribute.next()) {
      if (attribute.field() == 1) name = short_text(attribute);
      if (attribute.field() == 3) number = attribute.varint();
      if (attribute.field() == 8) attribute.append_varints(&numbers, kMaxAttributeNumbers);
      if (attribute.field() == 6 || attribute.field() == 11) node->has_subgraph = true;
    }
    if (name == "to") node->cast_to = number;
    if (name == "perm") node->permutation = std::move(numbers);
  }

  std::string subject_;
  std::map<std::string, LiftedWeight> weights_;  // by the name of their value in the graph
  std::set<std::string> read_;                   // those that a node which stays reads
  std::set<std::string> outputs_;
  bool has_subgraphs_ = false;
  LiftedGraph result_;
};

}  // namespace

DType LiftedWeight::dtype() const {
  return widened ? DType::kFloat32 : dtype_from_onnx(stored.data_type).value();
}

Shape LiftedWeight::shape() const {
  return transposed ? Shape(stored.dims.rbegin(), stored.dims.rend()) : stored.dims;
}

LiftedGraph lift_weights(std::string_view model, const std::string& file) { return Lifter(file).lift(model); }

}  // namespace vidrt
