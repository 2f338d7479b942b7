// The weights of one session, handed to ONNX Runtime instead of being read by it; or read by it in every run.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "onnxruntime/ort_handle.h"
#include "onnxruntime/weight_streaming_op.h"
#include "runtime/session.h"
#include "runtime/weights.h"

namespace vidrt {

/// Keep it until the session is gone.
class OrtWeights {
 public:
  enum class Use {
    kShare,  // the session computes on our memory (processor)
    kCopy,   // the session copies to its device while it is made
  };

  /// What a module's graph takes its weights from.
  struct Sources {
    std::vector<LiftedWeight> handed;      // lifted_graph.h
    std::vector<ExternalTensor> read;      // in every run, as float32: streamed_kernels.h
    std::vector<ExternalTensor> in_place;  // the same, as they are stored: conv_sums.h
    std::set<std::string> let_go;          // of the last, those whose pages are, after every run
  };

  /// Loads the weights that the graph is handed, and maps those that it reads. Throws BundleError. `threads`: of its
  /// session.
  OrtWeights(const OrtApi& api, const ModuleRequest& request, const Sources& sources, int threads);

  /// Make sessions with these options take their weights from here. Throws BackendError.
  void give_to(OrtSessionOptions* options, Use use) const;

  /// What ONNX Runtime repacks for its kernels: one for all sessions of the process that run this module
  /// or, for a decoder's step, the other one.
  OrtPrepackedWeightsContainer* packed() const { return packed_.get(); }

 private:
  const OrtApi& api_;
  std::shared_ptr<OrtPrepackedWeightsContainer> packed_;
  std::vector<std::shared_ptr<const Weight>> weights_;
  std::vector<std::string> names_;
  std::vector<bool> read_by_optimiser_;
  std::vector<OrtHandle<OrtValue>> values_;
  std::unique_ptr<WeightStreaming> streaming_;  // null: every weight is handed over
};

}  // namespace vidrt
