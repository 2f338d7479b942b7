#include "cuda/cuda_graph.h"

#include <cuda_runtime_api.h>

#include <exception>

#include "cuda/cuda_call.h"

namespace vidrt {
namespace {

// Such errors are of the recording alone: the same work can be done, only not be recorded.
bool cannot_be_recorded(cudaError_t error) {
  return error == cudaErrorStreamCaptureUnsupported || error == cudaErrorStreamCaptureInvalidated ||
         error == cudaErrorStreamCaptureImplicit || error == cudaErrorNotSupported;
}

// A recording that is going on; ends with this, whatever happens.
class Capture {
 public:
  explicit Capture(cudaStream_t stream) : stream_(stream) {
    // Other threads may go on as they like; this one must not wait or take memory.
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning to record");
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    if (!is_ended_) end();
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }

  cudaError_t end() {
    is_ended_ = true;
    const cudaError_t error = cudaStreamEndCapture(stream_, &graph_);
    if (error != cudaSuccess) cudaGetLastError();  // said here, not by the next call
    return error;
  }
  cudaGraph_t graph() const { return graph_; }

 private:
  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  bool is_ended_ = false;
};

class CudaGraph : public RecordedWork {
 public:
  CudaGraph(const CudaDevice& device, cudaGraphExec_t graph) : device_(device), graph_(graph) {}
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  // Where it still runs, CUDA ends it afterwards.
  ~CudaGraph() override { cudaGraphExecDestroy(graph_); }

  void replay() override {
    device_.use();
    check_cuda(cudaGraphLaunch(graph_, static_cast<cudaStream_t>(device_.stream())), "replaying recorded work");
  }

 private:
  const CudaDevice& device_;
  cudaGraphExec_t graph_;
};

}  // namespace

std::unique_ptr<RecordedWork> record_cuda_graph(const CudaDevice& device, const std::function<void()>& work) {
  device.use();
  Capture capture(static_cast<cudaStream_t>(device.stream()));
  std::exception_ptr failure;
  try {
    work();
  } catch (...) {
    failure = std::current_exception();
  }
  // What cannot be recorded also makes the work fail: then the recording says so.
  const cudaError_t error = capture.end();
  if (cannot_be_recorded(error)) return nullptr;
  if (failure != nullptr) std::rethrow_exception(failure);
  check_cuda(error, "ending to record");
  cudaGraphExec_t graph = nullptr;
  const cudaError_t made = cudaGraphInstantiate(&graph, capture.graph(), 0);
  if (cannot_be_recorded(made)) return nullptr;
  check_cuda(made, "making a graph of recorded work");
  return std::make_unique<CudaGraph>(device, graph);
}

}  // namespace vidrt
