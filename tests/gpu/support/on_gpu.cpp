#include "gpu/support/on_gpu.h"

#include <memory>
#include <vector>

#include "kernels/depthwise_separable_conv3d_cuda.h"

namespace vidrt::kernels::testing {
namespace {

// All tensors of one call: copies of the host's, null where those are.
class DeviceTensors {
 public:
  DeviceTensors(ElementType type, std::size_t offset) : element_(size_of(type)), offset_(offset) {}

  const void* input(const void* host, std::int64_t elements) {
    return host == nullptr ? nullptr : copy_of(host, elements);
  }
  // Holds what the host's memory holds, so that what is not written shows.
  void* output(void* host, std::int64_t elements) {
    if (host == nullptr) return nullptr;
    void* device = copy_of(host, elements);
    outputs_.push_back({host, device, bytes_of(elements)});
    return device;
  }
  void* scratch(std::size_t bytes) {
    memory_.push_back(std::make_unique<DeviceMemory>(bytes));
    return memory_.back()->data();
  }
  void fetch_outputs() const {
    for (const Output& one : outputs_) {
      check(cudaMemcpy(one.host, one.device, one.bytes, cudaMemcpyDeviceToHost), "a copy from the device");
    }
  }

  DepthwiseConv3dTensors depthwise(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& host,
                                   const ClipShape& y) {
    const auto& [kt, kh, kw] = problem.kernel;
    DepthwiseConv3dTensors device;
    device.x = input(host.x, problem.x.elements());
    device.weight = input(host.weight, problem.x.c * kt * kh * kw);
    device.bias = input(host.bias, problem.x.c);
    device.residual = input(host.residual, y.elements());
    device.cache_in = input(host.cache_in, problem.cache().elements());
    device.y = output(host.y, y.elements());
    device.cache_out = output(host.cache_out, problem.cache().elements());
    return device;
  }

 private:
  struct Output {
    void* host;
    const void* device;
    std::size_t bytes;
  };

  std::size_t bytes_of(std::int64_t elements) const { return static_cast<std::size_t>(elements) * element_; }
  void* copy_of(const void* host, std::int64_t elements) {
    memory_.push_back(std::make_unique<DeviceMemory>(bytes_of(elements) + offset_));
    void* device = memory_.back()->data() + offset_;
    check(cudaMemcpy(device, host, bytes_of(elements), cudaMemcpyHostToDevice), "a copy to the device");
    return device;
  }

  std::size_t element_;
  std::size_t offset_;
  std::vector<std::unique_ptr<DeviceMemory>> memory_;
  std::vector<Output> outputs_;
};

// A copy from pageable memory may return before the device has it, and a Stream does not wait for it.
void wait_for_copies() { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

}  // namespace

void at_once(const Stream& stream, const std::function<void(cudaStream_t)>& launches) {
  launches(stream.get());
  stream.wait();
}

void in_a_graph(const Stream& stream, const std::function<void(cudaStream_t)>& launches) {
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  launches(stream.get());
  cudaGraph_t graph;
  check(cudaStreamEndCapture(stream.get(), &graph), "cudaStreamEndCapture");
  cudaGraphExec_t executable;
  check(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
  for (int run = 0; run < 2; ++run) check(cudaGraphLaunch(executable, stream.get()), "cudaGraphLaunch");
  stream.wait();
  check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
  check(cudaGraphDestroy(graph), "cudaGraphDestroy");
}

Depthwise depthwise_on_gpu(const Enqueue& enqueue, std::size_t offset) {
  return [=](const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& host) {
    const Stream stream;
    DeviceTensors tensors(problem.type, offset);
    const DepthwiseConv3dTensors device = tensors.depthwise(problem, host, problem.y);
    wait_for_copies();
    enqueue(stream, [&](cudaStream_t on) { check(depthwise_conv3d_cuda(problem, device, on), "the launch"); });
    tensors.fetch_outputs();
  };
}

Separable separable_on_gpu(const Enqueue& enqueue) {
  return [=](const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& host) {
    const Stream stream;
    DeviceTensors tensors(problem.depthwise.type, 0);
    DepthwiseSeparableConv3dTensors device;
    device.depthwise = tensors.depthwise(problem.depthwise, host.depthwise, problem.y);
    device.pointwise = tensors.input(host.pointwise, problem.y.c * problem.depthwise.x.c);
    device.pointwise_bias = tensors.input(host.pointwise_bias, problem.y.c);
    void* workspace = tensors.scratch(depthwise_separable_conv3d_cuda_workspace(problem));
    wait_for_copies();
    enqueue(stream, [&](cudaStream_t on) {
      check(depthwise_separable_conv3d_cuda(problem, device, workspace, on), "the launch");
    });
    tensors.fetch_outputs();
  };
}

}  // namespace vidrt::kernels::testing
