#include "runtime/lifted_graph.h"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "runtime/graph_node.h"
#include "runtime/onnx_tensor.h"
#include "runtime/onnx_writer.h"
#include "runtime/protobuf_reader.h"
#include "runtime/streamable_weights.h"

namespace vidrt {
namespace {

constexpr const char* kContribDomain = "com.microsoft";
constexpr const char* kOwnDomain = "vidrt";
constexpr std::uint32_t kOpTypeField = 4;  // of NodeProto
constexpr std::uint32_t kDomainField = 7;

// Past the end of any file: who looks before the owner has provided the data is refused, and does not get other bytes.
constexpr const char* kNowhere = "4611686018427387904";

// A TensorProto that says its data lies elsewhere, in a file that exists, as ONNX Runtime insists on.
std::string initializer_proto(const LiftedWeight& weight) {
  std::string tensor;
  for (const std::int64_t dim : weight.shape()) append_varint_field(&tensor, 1, static_cast<std::uint64_t>(dim));
  append_varint_field(&tensor, 2, static_cast<std::uint64_t>(onnx_data_type(weight.dtype())));
  append_bytes_field(&tensor, 8, weight.name);
  const std::uint64_t bytes = static_cast<std::uint64_t>(element_count(weight.shape())) * dtype_bytes(weight.dtype());
  const std::pair<const char*, std::string> place[] = {
      {"location", weight.stored.location}, {"offset", kNowhere}, {"length", std::to_string(bytes)}};
  for (const auto& [key, value] : place) {
    std::string entry;
    append_bytes_field(&entry, 1, key);
    append_bytes_field(&entry, 2, value);
    append_bytes_field(&tensor, 13, entry);
  }
  append_varint_field(&tensor, 14, 1);  // TensorProto.DataLocation.EXTERNAL
  return tensor;
}

// A MatMul as a product of another kind, by `matrix`. Its name, outputs and all else stay.
std::string product_proto(std::string_view node, const std::string& matrix, const char* op_type, const char* domain,
                          const std::vector<std::string>& attributes, const std::string& subject) {
  std::string product = node_with_second_input(node, matrix, subject, {kOpTypeField, kDomainField});
  append_bytes_field(&product, kOpTypeField, op_type);
  for (const std::string& attribute : attributes) append_bytes_field(&product, 5, attribute);
  append_bytes_field(&product, kDomainField, domain);
  return product;
}

class Lifter {
 public:
  Lifter(const std::string& file, const AsStored& as_stored)
      : subject_("'" + file + "' is no valid ONNX graph"), as_stored_(as_stored) {
    for (const std::string& name : as_stored.matrices) operands_[name] = {name, false};
  }

  LiftedGraph lift(std::string_view message) {
    ProtobufReader model(message, subject_);
    std::set<std::string> imported;
    while (model.next()) {
      if (model.field() == 7) {
        append_bytes_field(&result_.model, 7, lift_graph(model.bytes()));
      } else {
        result_.model.append(model.raw());
      }
      if (model.field() == 8) imported.insert(domain_of(model.bytes()));
    }
    for (const std::string& domain : domains_) {
      if (imported.count(domain) == 0) append_bytes_field(&result_.model, 8, opset_proto(domain));
    }
    return std::move(result_);
  }

 private:
  // What a MatMul multiplies by: a matrix as it is stored, or transposed.
  struct Operand {
    std::string matrix;
    bool transposed = false;
  };

  std::string domain_of(std::string_view opset) const {
    ProtobufReader reader(opset, subject_);
    std::string domain;
    while (reader.next()) {
      if (reader.field() == 1) domain = short_text(reader);
    }
    return domain;
  }

  std::string lift_graph(std::string_view message) {
    read_values(message);
    std::string lifted;
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() == 1) {
        lift_node(graph, &lifted);
      } else {
        lifted.append(graph.raw());
      }
    }
    for (const auto& [name, weight] : weights_) {
      // What a subgraph captures is not looked for; where there is one, everything counts as read.
      if (read_.count(name) == 0 && !has_subgraphs_) continue;
      const bool in_graph = !weight.widened && !weight.transposed;
      if (in_graph && weight.stored.offset % kWeightAlignment != 0) continue;
      if (!in_graph) append_bytes_field(&lifted, 5, initializer_proto(weight));
      const bool as_stored = as_stored_.matrices.count(name) != 0;
      if (as_stored) {
        // A graph input of an initialiser's name: the backend then takes it for a default, no constant, and makes no
        // copy of it.
        append_bytes_field(&lifted, 11, value_info_proto(weight.name, weight.dtype(), weight.shape()));
      }
      result_.weights.push_back(weight);
      const bool foldable = has_subgraphs_ || folded_.count(name) != 0 || outputs_.count(name) != 0;
      result_.weights.back().as_stored = as_stored;
      result_.weights.back().in_file = in_graph && is_large_kernel(weight.stored);
      result_.weights.back().only_operand = is_large(weight) && !foldable;
    }
    return lifted;
  }

  void read_values(std::string_view message) {
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() == 5) {
        OnnxTensor tensor = read_onnx_tensor(graph.bytes(), subject_);
        constants_.insert(tensor.stored.name);
        if (!tensor.external || !dtype_from_onnx(tensor.stored.data_type)) continue;
        const std::string name = tensor.stored.name;
        weights_[name] = LiftedWeight{name, std::move(tensor.stored), false, false};
      }
      if (graph.field() == 12) outputs_.insert(value_name(graph.bytes(), subject_));
    }
  }

  // Nodes come in topological order.
  void lift_node(const ProtobufReader& graph, std::string* lifted) {
    const GraphNode node = read_graph_node(graph.bytes(), subject_);
    if (take_operand(node, graph, lifted) || multiply_by_operand(node, graph, lifted)) return;
    if (!take_node(node)) lifted->append(graph.raw());
  }

  // Whether the node makes an operand of an operand. A Cast stays where products take float32 alone.
  bool take_operand(const GraphNode& node, const ProtobufReader& graph, std::string* lifted) {
    if (node.inputs.size() != 1) return false;
    const auto found = operands_.find(node.inputs[0]);
    if (found == operands_.end()) return false;
    Operand operand = found->second;
    if (node.flips_matrix()) {
      operand.transposed = !operand.transposed;
    } else if (!node.casts_to_float()) {
      return false;
    } else if (as_stored_.product == StoredProduct::kFusedMatMul) {
      read_.insert(operand.matrix);
      operand.matrix = node.outputs[0];
      lifted->append(graph.raw());
    }
    operands_[node.outputs[0]] = operand;
    return true;
  }

  bool multiply_by_operand(const GraphNode& node, const ProtobufReader& graph, std::string* lifted) {
    if (!node.standard || node.op_type != "MatMul" || node.inputs.size() != 2) return false;
    const auto found = operands_.find(node.inputs[1]);
    if (found == operands_.end()) return false;
    const auto& [matrix, transposed] = found->second;
    read_.insert(matrix);
    if (as_stored_.product == StoredProduct::kOwnMatMul) {
      const std::vector<std::string> attributes = {string_attribute_proto("weight_layout", transposed ? "OI" : "IO")};
      append_bytes_field(lifted, 1, product_proto(graph.bytes(), matrix, "MatMul", kOwnDomain, attributes, subject_));
      domains_.insert(kOwnDomain);
    } else if (transposed) {
      const std::vector<std::string> attributes = {int_attribute_proto("transB", 1)};
      append_bytes_field(lifted, 1,
                         product_proto(graph.bytes(), matrix, "FusedMatMul", kContribDomain, attributes, subject_));
      domains_.insert(kContribDomain);
    } else {
      lifted->append(graph.raw());
    }
    return true;
  }

  // Whether the node's result is a weight now, and the node no longer needed.
  bool take_node(const GraphNode& node) {
    has_subgraphs_ = has_subgraphs_ || node.has_subgraph;
    if (std::optional<LiftedWeight> weight = computed(node)) {
      weights_[weight->name] = *weight;
      return true;
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (weights_.count(node.inputs[i]) == 0) continue;
      read_.insert(node.inputs[i]);
      if (!is_operand(node, i)) folded_.insert(node.inputs[i]);
    }
    return false;
  }

  bool is_operand(const GraphNode& node, std::size_t input) const {
    if (!node.standard || node.inputs.size() != 2) return false;
    const std::string& other = node.inputs[1 - input];
    if (constants_.count(other) != 0 || weights_.count(other) != 0) return false;
    return (node.op_type == "MatMul" && input == 1) || (node.op_type == "Gather" && input == 0);
  }

  static bool is_large(const LiftedWeight& weight) {
    const Shape shape = weight.shape();
    return shape.size() == 2 &&
           static_cast<std::size_t>(element_count(shape)) * dtype_bytes(weight.dtype()) >= kLargeWeight;
  }

  std::optional<LiftedWeight> computed(const GraphNode& node) const {
    if (node.inputs.size() != 1 || node.outputs.size() != 1) return std::nullopt;
    const auto input = weights_.find(node.inputs[0]);
    if (input == weights_.end() || outputs_.count(node.outputs[0]) != 0) return std::nullopt;
    LiftedWeight weight = input->second;
    weight.name = node.outputs[0];
    if (node.casts_to_float() && is_narrow(weight.dtype())) {
      weight.widened = true;
      return weight;
    }
    if (node.flips_matrix() && weight.stored.dims.size() == 2) {
      weight.transposed = !weight.transposed;
      return weight;
    }
    return std::nullopt;
  }

  static bool is_narrow(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }

  std::string subject_;
  const AsStored& as_stored_;
  std::map<std::string, Operand> operands_;      // matrices that stay as stored, by the name of their value
  std::set<std::string> domains_;                // of the products by them
  std::map<std::string, LiftedWeight> weights_;  // by the name of their value in the graph
  std::set<std::string> read_;                   // those that a node which stays reads
  std::set<std::string> folded_;                 // those of which something may be computed beforehand
  std::set<std::string> constants_;              // initialisers of all kinds
  std::set<std::string> outputs_;
  bool has_subgraphs_ = false;
  LiftedGraph result_;
};

}  // namespace

DType LiftedWeight::dtype() const { return widened ? DType::kFloat32 : dtype_from_onnx(stored.data_type).value(); }

Shape LiftedWeight::shape() const { return transposed ? Shape(stored.dims.rbegin(), stored.dims.rend()) : stored.dims; }

LiftedGraph lift_weights(std::string_view model, const std::string& file, const AsStored& as_stored) {
  return Lifter(file, as_stored).lift(model);
}

}  // namespace vidrt
