// An ONNX graph whose convolutions are done by the core's own operator (onnxruntime/conv_sum_op.h).
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/onnx_graph.h"
#include "runtime/streamable_weights.h"

namespace vidrt {

/// The operator, of the domain kStreamingDomain: the sum of 3x3 convolutions, and of a bias. Its inputs are frames
/// (N,C,H,W) for each of them, or one clip (N,C,T,H,W) whose frames all are convolved with; then the bias if there is
/// one. The attributes have a number for each of the convolutions.
inline constexpr const char* kConvSum = "ConvSum";
inline constexpr const char* kKernelsAttribute = "kernels";  // INTS: indices into ConvSumGraph::kernels
inline constexpr const char* kFramesAttribute = "frames";    // INTS: which frame of it, of a kernel over three axes

struct ConvSumGraph {
  std::string model;                        // a serialized ModelProto
  std::vector<ExternalTensor> kernels;      // (O,C,3,3) or (O,C,T,3,3) in float32, float16 or bfloat16
  std::vector<std::set<std::size_t>> sums;  // for each node, its kernels

  /// What the kernels take, and save if their pages are let go after every run. Those of less than 1 MiB are not worth
  /// the trouble.
  std::vector<StreamableWeight> weights() const;
};

/// Give a graph a node of kConvSum for each of its convolutions with a kernel (O,C,3,3) or (O,C,T,3,3) that gives as
/// many results as positions of a frame, in one group, and has the channels to gain by it. The kernel is an
/// initialiser, or one frame sliced out of it, perhaps cast to float32; all that goes out of the graph. Where nobody
/// else wants the results of two over frames than an Add, one node does both: Wan's causal convolution over three
/// frames is exported as three over one. A graph with subgraphs stays as it is: they may capture anything. `file` is
/// the graph's path, for messages. Throws BundleError for a malformed graph.
ConvSumGraph sum_convolutions(std::string_view model, const std::string& file);

}  // namespace vidrt
