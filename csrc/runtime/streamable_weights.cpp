#include "runtime/streamable_weights.h"

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

// Which weights cost least time for what streaming them saves: 0 first. Kernels that are convolved with as they are
// cost a copy in every run. Matrices cost being packed in every product, whatever its size. Kernels that ONNX Runtime
// would reorder cost a copy and the faster form of their convolution, which is the more the larger the frames are. For
// each MiB that ModelScope's UNet saved, a run of 8 frames of 128x128 took about 0.9, 1.9 and 2.5 ms longer (two
// threads beside other work, no AMX, and before kernels stored as float32 were held once: the last saved twice as
// much).
int cost_of_streaming(const StreamableWeight& weight) {
  if (weight.use == StreamableWeight::Use::kMatrix) return 1;
  return weight.packed_bytes == 0 ? 0 : 2;
}

class Finder {
 public:
  Finder(std::string_view model, const std::string& file) : subject_("'" + file + "' is no valid ONNX graph") {
    ProtobufReader reader(model, subject_);
    while (reader.next()) {
      if (reader.field() == 7) read_graph(reader.bytes());
    }
  }

  std::vector<StreamableWeight> find() const {
    std::vector<StreamableWeight> found;
    if (has_subgraphs_) return found;  // they may capture anything
    for (const ExternalTensor& tensor : candidates_) {
      const DType dtype = *dtype_from_onnx(tensor.data_type);
      const std::uint64_t float_bytes = tensor.length / dtype_bytes(dtype) * sizeof(float);
      if (tensor.dims.size() == 2) {
        if (!only_multiplies(tensor.name, dtype, false)) continue;
        found.push_back(
            {tensor.name, StreamableWeight::Use::kMatrix, tensor.length, float_bytes, float_bytes, float_bytes, 0});
      } else if (only_convolves(tensor.name, dtype)) {
        const std::uint64_t packed_bytes = is_packed_kernel(tensor) ? float_bytes : 0;
        const std::uint64_t held_bytes = packed_bytes != 0 && dtype == DType::kFloat32 ? 0 : float_bytes;
        found.push_back({tensor.name, StreamableWeight::Use::kKernel, tensor.length, float_bytes, packed_bytes,
                         held_bytes, float_bytes});
      }
    }
    std::stable_sort(found.begin(), found.end(), [](const StreamableWeight& a, const StreamableWeight& b) {
      return cost_of_streaming(a) < cost_of_streaming(b);
    });
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
      if (graph.field() == 11 || graph.field() == 12) boundary_.insert(value_name(graph.bytes(), subject_));
    }
  }

  void add_node(GraphNode node) {
    has_subgraphs_ = has_subgraphs_ || node.has_subgraph;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) uses_[node.inputs[i]].push_back({nodes_.size(), i});
    nodes_.push_back(std::move(node));
  }

  void add_initializer(OnnxTensor tensor) {
    if (!tensor.external || tensor.stored.length < kLargeWeight) return;
    if (tensor.stored.dims.size() != 2 && !is_large_kernel(tensor.stored)) return;
    if (tensor.stored.offset % kWeightAlignment != 0) return;
    if (is_onnx_float(tensor.stored.data_type)) candidates_.push_back(std::move(tensor.stored));
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

  bool only_convolves(const std::string& value, DType dtype) const {
    const auto uses = uses_.find(value);
    if (uses == uses_.end() || boundary_.count(value) != 0) return false;
    return std::all_of(uses->second.begin(), uses->second.end(), [&](const Use& use) {
      const GraphNode& node = nodes_[use.node];
      if (dtype != DType::kFloat32) {
        return node.casts_to_float() && only_convolves(node.outputs[0], DType::kFloat32);
      }
      return node.convolves() && use.input == 1;
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

// A depthwise one has a single channel to each of its filters.
bool is_large_kernel(const ExternalTensor& tensor) {
  const std::size_t rank = tensor.dims.size();
  return (rank == 4 || rank == 5) && tensor.dims[1] > 1 && tensor.length >= kLargeWeight;
}

// On x86 two axes are convolved in blocks of channels, where the input channels are a multiple of four. What is not
// reordered after all is counted for nothing, and saved for nothing.
bool is_packed_kernel(const ExternalTensor& tensor) {
#if defined(__x86_64__)
  return tensor.dims.size() == 4 && tensor.dims[1] % 4 == 0;
#else
  (void)tensor;
  return false;
#endif
}

std::vector<StreamableWeight> streamable_weights(std::string_view model, const std::string& file) {
  return Finder(model, file).find();
}

std::uint64_t saved_together(const std::vector<StreamableWeight>& weights) {
  std::uint64_t saved = 0;
  std::uint64_t staged = 0;
  for (const StreamableWeight& weight : weights) {
    saved += weight.saved_bytes();
    staged = std::max(staged, weight.staged_bytes);
  }
  return saved - staged;
}

StreamedNames weights_that_save(const std::vector<StreamableWeight>& weights, std::uint64_t bytes) {
  StreamedNames names;
  std::uint64_t saved = 0;
  std::uint64_t staged = 0;
  for (const StreamableWeight& weight : weights) {
    if (saved - staged >= bytes) break;
    (weight.use == StreamableWeight::Use::kMatrix ? names.matrices : names.kernels).insert(weight.name);
    saved += weight.saved_bytes();
    staged = std::max(staged, weight.staged_bytes);
  }
  return names;
}

}  // namespace vidrt
