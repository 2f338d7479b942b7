#include "runtime/stored_matrices.h"

#include <algorithm>
#include <map>
#include <utility>

#include "runtime/graph_node.h"
#include "runtime/lifted_graph.h"
#include "runtime/onnx_tensor.h"
#include "runtime/protobuf_reader.h"
#include "vidrt/tensor.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kLarge = std::uint64_t{1} << 20U;

class Finder {
 public:
  Finder(std::string_view model, const std::string& file) : subject_("'" + file + "' is no valid ONNX graph") {
    ProtobufReader reader(model, subject_);
    while (reader.next()) {
      if (reader.field() == 7) read_graph(reader.bytes());
    }
  }

  std::vector<StoredMatrix> find() const {
    std::vector<StoredMatrix> found;
    if (has_subgraphs_) return found;  // they may capture anything
    for (const ExternalTensor& tensor : candidates_) {
      const DType dtype = *dtype_from_onnx(tensor.data_type);
      if (!only_multiplies(tensor.name, dtype, false)) continue;
      const std::uint64_t float_bytes = tensor.length / dtype_bytes(dtype) * sizeof(float);
      found.push_back({tensor.name, tensor.length, float_bytes, float_bytes});
    }
    return found;
  }

 private:
  struct Use {
    std::size_t node = 0;
    std::size_t input = 0;
  };

  void read_graph(std::string_view message) {
    ProtobufReader graph(message, subject_);
    while (graph.next()) {
      if (graph.field() == 1) add_node(read_graph_node(graph.bytes(), subject_));
      if (graph.field() == 5) add_initializer(read_onnx_tensor(graph.bytes(), subject_));
      if (graph.field() == 11 || graph.field() == 12) add_boundary(graph.bytes());
    }
  }

  void add_boundary(std::string_view value_info) {
    ProtobufReader value(value_info, subject_);
    while (value.next()) {
      if (value.field() == 1) boundary_.insert(short_text(value));
    }
  }

  void add_node(GraphNode node) {
    has_subgraphs_ = has_subgraphs_ || node.has_subgraph;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) uses_[node.inputs[i]].push_back({nodes_.size(), i});
    nodes_.push_back(std::move(node));
  }

  void add_initializer(OnnxTensor tensor) {
    if (!tensor.external || tensor.stored.dims.size() != 2 || tensor.stored.length < kLarge) return;
    if (tensor.stored.offset % kWeightAlignment != 0) return;
    const std::optional<DType> dtype = dtype_from_onnx(tensor.stored.data_type);
    if (dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16) {
      candidates_.push_back(std::move(tensor.stored));
    }
  }

  bool only_multiplies(const std::string& value, DType dtype, bool transposed) const {
    const auto uses = uses_.find(value);
    if (uses == uses_.end() || boundary_.count(value) != 0) return false;
    return std::all_of(uses->second.begin(), uses->second.end(), [&](const Use& use) {
      const GraphNode& node = nodes_[use.node];
      if (dtype != DType::kFloat32) {
        return node.casts_to_float() && only_multiplies(node.outputs[0], DType::kFloat32, transposed);
      }
      if (node.flips_matrix()) return !transposed && only_multiplies(node.outputs[0], dtype, true);
      return node.standard && node.op_type == "MatMul" && use.input == 1 && node.inputs[0] != value;
    });
  }

  std::string subject_;
  std::vector<GraphNode> nodes_;
  std::map<std::string, std::vector<Use>> uses_;  // by the name of the value
  std::vector<ExternalTensor> candidates_;
  std::set<std::string> boundary_;  // the graph's inputs and outputs
  bool has_subgraphs_ = false;
};

}  // namespace

std::vector<StoredMatrix> stored_matrices(std::string_view model, const std::string& file) {
  return Finder(model, file).find();
}

std::set<std::string> matrices_that_save(const std::vector<StoredMatrix>& matrices, std::uint64_t bytes) {
  std::set<std::string> names;
  std::uint64_t saved = 0;
  for (const StoredMatrix& matrix : matrices) {
    if (saved >= bytes) break;
    names.insert(matrix.name);
    saved += matrix.saved_bytes();
  }
  return names;
}

}  // namespace vidrt
