#include "cuda_host/emulator/runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>

#include "cuda_host/emulator/stream.h"

namespace vidrt::cuda_host {
namespace {

constexpr std::size_t kPage = 4096;
constexpr unsigned char kUnwritten = 0xff;  // NaN: nothing may count on zeros
thread_local int current_device = 0;

void* as_pointer(std::uintptr_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

Runtime& Runtime::get() {
  static Runtime runtime;
  return runtime;
}

Runtime::Runtime() = default;
Runtime::~Runtime() = default;

void Runtime::reset() {
  devices = 1;
  driver = cudaSuccess;
  major = 9;
  total_bytes = std::size_t{1} << 30;
  before_call = nullptr;
  graphs_made = graphs_launched = 0;
  faults.clear();
  lost_ = cudaSuccess;
  current_device = 0;
}

cudaError_t Runtime::enter(const char* call) {
  if (lost_ != cudaSuccess) return lost_;
  return before_call ? before_call(call) : cudaSuccess;
}

cudaError_t Runtime::fail(const std::string& fault, cudaError_t error) {
  faults.push_back(fault);
  return error;
}

cudaError_t Runtime::set_device(int device) {
  if (device < 0 || device >= devices) return cudaErrorInvalidDevice;
  current_device = device;
  return cudaSuccess;
}

std::size_t Runtime::free_bytes() const {
  std::size_t used = 0;
  for (const auto& [address, block] : device_memory_) used += block.bytes;
  return total_bytes - std::min(used, total_bytes);
}

cudaError_t Runtime::allocate(void** memory, std::size_t bytes) {
  if (spoils_captures()) return cudaErrorStreamCaptureUnsupported;
  if (bytes > free_bytes()) return cudaErrorMemoryAllocation;
  const std::size_t mapped = (bytes + kPage - 1) / kPage * kPage;
  void* data = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return cudaErrorMemoryAllocation;
  std::memset(data, kUnwritten, mapped);
  mprotect(data, mapped, PROT_NONE);
  device_memory_[reinterpret_cast<std::uintptr_t>(data)] = {bytes, mapped, current_device};
  for (const auto& entry : streams_) entry.first->memory.declare("device memory", data, bytes, Rights::kReadWrite);
  *memory = data;
  return cudaSuccess;
}

cudaError_t Runtime::release(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  const auto found = device_memory_.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == device_memory_.end()) return fail("memory is freed that was not taken", cudaErrorInvalidValue);
  if (!is_idle()) faults.push_back("memory of the device is freed while work is queued");
  for (const auto& entry : streams_) entry.first->memory.forget(memory);
  munmap(memory, found->second.mapped);
  device_memory_.erase(found);
  return lost_;
}

cudaError_t Runtime::allocate_pinned(void** memory, std::size_t bytes) {
  auto* data = new unsigned char[bytes];
  std::memset(data, kUnwritten, bytes);
  pinned_[reinterpret_cast<std::uintptr_t>(data)] = {bytes, bytes, 0};
  *memory = data;
  return cudaSuccess;
}

cudaError_t Runtime::release_pinned(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  if (pinned_.erase(reinterpret_cast<std::uintptr_t>(memory)) == 0) {
    return fail("page-locked memory is freed that was not taken", cudaErrorInvalidValue);
  }
  if (!is_idle()) faults.push_back("page-locked memory is freed while work is queued");
  delete[] static_cast<unsigned char*>(memory);
  return lost_;
}

cudaError_t Runtime::create(cudaStream_t* stream, unsigned flags) {
  auto made = std::make_unique<CUstream_st>();
  for (const auto& [address, block] : device_memory_) {
    made->memory.declare("device memory", as_pointer(address), block.bytes, Rights::kReadWrite);
  }
  made->defer = [this, raw = made.get()](const kernels::cuda::LaunchShape& shape, std::function<void()> kernel) {
    const cudaError_t error = enter("cudaLaunchKernelExC");
    if (error != cudaSuccess) return error;
    return queue(raw, [raw, shape, kernel = std::move(kernel)] { return raw->run(shape, kernel); });
  };
  *stream = made.get();
  Queue& queue = streams_[made.release()];
  queue.device = current_device;
  queue.waits_for_default = flags != cudaStreamNonBlocking;
  return cudaSuccess;
}

cudaError_t Runtime::destroy(cudaStream_t stream) {
  if (streams_.count(stream) == 0) return fail("a stream ends that was not made", cudaErrorInvalidResourceHandle);
  if (!streams_[stream].work.empty()) faults.push_back("a stream ends while work is queued on it");
  streams_.erase(stream);
  delete stream;
  return lost_;
}

cudaError_t Runtime::create(cudaEvent_t* event) {
  *event = new CUevent_st;
  events_.insert(*event);
  return cudaSuccess;
}

cudaError_t Runtime::destroy(cudaEvent_t event) {
  if (events_.erase(event) == 0) return fail("an event ends that was not made", cudaErrorInvalidResourceHandle);
  delete event;
  return lost_;
}

cudaError_t Runtime::record(cudaEvent_t event, cudaStream_t stream) {
  if (streams_.at(stream).device != current_device) return cudaErrorInvalidResourceHandle;
  event->stream = stream;
  event->place = queued(stream);
  return cudaSuccess;
}

cudaError_t Runtime::queue(cudaStream_t stream, Work work) {
  if (lost_ != cudaSuccess) return lost_;
  Queue& queue = streams_.at(stream);
  if (queue.device != current_device) return cudaErrorInvalidResourceHandle;
  if (queue.is_captured) {
    queue.captured.push_back(std::move(work));
    return queue.is_spoilt ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  }
  queue.work.push_back(std::move(work));
  ++queue.queued;
  return cudaSuccess;
}

bool Runtime::spoils_captures() {
  bool spoils = false;
  for (auto& [stream, queue] : streams_) {
    queue.is_spoilt = queue.is_spoilt || queue.is_captured;
    spoils = spoils || queue.is_captured;
  }
  return spoils;
}

cudaError_t Runtime::begin_capture(cudaStream_t stream) {
  Queue& queue = streams_.at(stream);
  if (queue.is_captured) return fail("a stream is recorded twice at once", cudaErrorStreamCaptureInvalidated);
  queue.is_captured = true;
  queue.is_spoilt = false;
  queue.captured.clear();
  return cudaSuccess;
}

cudaError_t Runtime::end_capture(cudaStream_t stream, cudaGraph_t* graph) {
  Queue& queue = streams_.at(stream);
  *graph = nullptr;
  if (!queue.is_captured) return fail("a recording ends that did not begin", cudaErrorInvalidValue);
  queue.is_captured = false;
  if (queue.is_spoilt) return cudaErrorStreamCaptureInvalidated;
  *graph = new CUgraph_st{std::exchange(queue.captured, {})};
  graphs_.insert(*graph);
  return cudaSuccess;
}

cudaError_t Runtime::instantiate(cudaGraphExec_t* exec, cudaGraph_t graph) {
  *exec = new CUgraphExec_st{graph->work};
  execs_.insert(*exec);
  ++graphs_made;
  return cudaSuccess;
}

cudaError_t Runtime::launch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (execs_.count(exec) == 0) return fail("a graph is launched that was not made", cudaErrorInvalidResourceHandle);
  ++graphs_launched;
  for (const Work& work : exec->work) {
    if (const cudaError_t error = queue(stream, work); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t Runtime::destroy(cudaGraph_t graph) {
  if (graphs_.erase(graph) == 0) return fail("a graph ends that was not made", cudaErrorInvalidResourceHandle);
  delete graph;
  return lost_;
}

cudaError_t Runtime::destroy(cudaGraphExec_t exec) {
  if (execs_.erase(exec) == 0) return fail("a graph ends that was not made", cudaErrorInvalidResourceHandle);
  delete exec;
  return lost_;
}

cudaError_t Runtime::run_until(cudaStream_t stream, std::uint64_t place) {
  Queue& queue = streams_.at(stream);
  if (spoils_captures()) return cudaErrorStreamCaptureUnsupported;
  if (queue.done >= place || lost_ != cudaSuccess) return lost_;
  set_reachable(true);
  while (queue.done < place && lost_ == cudaSuccess) {
    const Work work = std::move(queue.work.front());
    queue.work.pop_front();
    ++queue.done;
    try {
      lost_ = work();
    } catch (const Fault& fault) {
      lost_ = fail(fault.what(), cudaErrorIllegalAddress);
    } catch (const std::exception&) {
      lost_ = cudaErrorLaunchFailure;
    }
  }
  if (lost_ != cudaSuccess) {
    queue.done = queue.queued;
    queue.work.clear();
  }
  set_reachable(false);
  return lost_;
}

cudaError_t Runtime::copy(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                          std::size_t rows, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes == 0 || rows == 0) return cudaSuccess;
  if (bytes > to_pitch || bytes > from_pitch) return cudaErrorInvalidValue;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const auto extent = [&](std::size_t pitch) { return (rows - 1) * pitch + bytes; };
  if ((from_device && !lies_in_device(stream, from, extent(from_pitch))) ||
      (to_device && !lies_in_device(stream, to, extent(to_pitch)))) {
    return fail("a copy reaches out of the device's memory", cudaErrorInvalidValue);
  }
  const cudaError_t error = queue(stream, [=] {
    for (std::size_t row = 0; row < rows; ++row) {
      std::memcpy(static_cast<unsigned char*>(to) + row * to_pitch,
                  static_cast<const unsigned char*>(from) + row * from_pitch, bytes);
    }
    return cudaSuccess;
  });
  if (error != cudaSuccess) return error;
  // Memory that is not page-locked the driver handles itself, and has it handled when the call returns.
  const bool is_pageable = (!from_device && find(pinned_, from, extent(from_pitch)) == nullptr) ||
                           (!to_device && find(pinned_, to, extent(to_pitch)) == nullptr);
  return is_pageable ? run_until(stream, queued(stream)) : cudaSuccess;
}

const Runtime::Block* Runtime::find(const std::map<std::uintptr_t, Block>& blocks, const void* begin,
                                    std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  auto block = blocks.upper_bound(address);
  if (block == blocks.begin()) return nullptr;
  --block;
  return address + bytes <= block->first + block->second.bytes ? &block->second : nullptr;
}

bool Runtime::lies_in_device(cudaStream_t stream, const void* begin, std::size_t bytes) const {
  const Block* block = find(device_memory_, begin, bytes);
  return block != nullptr && block->device == streams_.at(stream).device;
}

bool Runtime::is_idle() const {
  return std::all_of(streams_.begin(), streams_.end(), [](const auto& entry) { return entry.second.work.empty(); });
}

void Runtime::set_reachable(bool is_reachable) {
  for (const auto& [address, block] : device_memory_) {
    mprotect(as_pointer(address), block.mapped, is_reachable ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
}

}  // namespace vidrt::cuda_host

using vidrt::cuda_host::Runtime;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorLaunchOutOfResources:
      return "cudaErrorLaunchOutOfResources";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    default:
      return "another error";
  }
}

const char* cudaGetErrorString(cudaError_t) { return "as the driver describes it"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }

// Calls that give back do so in any case: nobody can act on their failure.
#define VIDRT_ENTER(call)                                                     \
  if (const cudaError_t error = Runtime::get().enter(call); error != cudaSuccess) return error

cudaError_t cudaGetDeviceCount(int* count) {
  VIDRT_ENTER("cudaGetDeviceCount");
  Runtime& runtime = Runtime::get();
  if (runtime.driver != cudaSuccess) return runtime.driver;
  *count = runtime.devices;
  return runtime.devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  VIDRT_ENTER("cudaSetDevice");
  return Runtime::get().set_device(device);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  VIDRT_ENTER("cudaGetDeviceProperties");
  *properties = {"Emulated GPU", Runtime::get().major, 1};
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  VIDRT_ENTER("cudaMemGetInfo");
  *free = Runtime::get().free_bytes();
  *total = Runtime::get().total_bytes;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  VIDRT_ENTER("cudaMalloc");
  return Runtime::get().allocate(memory, bytes);
}

cudaError_t cudaFree(void* memory) { return Runtime::get().release(memory); }

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  VIDRT_ENTER("cudaMallocHost");
  return Runtime::get().allocate_pinned(memory, bytes);
}

cudaError_t cudaFreeHost(void* memory) { return Runtime::get().release_pinned(memory); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  VIDRT_ENTER("cudaStreamCreateWithFlags");
  return Runtime::get().create(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) { return Runtime::get().destroy(stream); }

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  VIDRT_ENTER("cudaStreamSynchronize");
  return Runtime::get().run_until(stream, Runtime::get().queued(stream));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  VIDRT_ENTER("cudaEventCreateWithFlags");
  return Runtime::get().create(event);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) { return Runtime::get().destroy(event); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  VIDRT_ENTER("cudaEventRecord");
  return Runtime::get().record(event, stream);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  VIDRT_ENTER("cudaEventSynchronize");
  return event->stream == nullptr ? cudaSuccess : Runtime::get().run_until(event->stream, event->place);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  VIDRT_ENTER("cudaStreamBeginCapture");
  return Runtime::get().begin_capture(stream);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return Runtime::get().end_capture(stream, graph);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  VIDRT_ENTER("cudaGraphInstantiate");
  return Runtime::get().instantiate(exec, graph);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  VIDRT_ENTER("cudaGraphLaunch");
  return Runtime::get().launch(exec, stream);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return Runtime::get().destroy(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return Runtime::get().destroy(exec); }

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  VIDRT_ENTER("cudaMemcpyAsync");
  return Runtime::get().copy(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t bytes, std::size_t rows, cudaMemcpyKind kind, cudaStream_t stream) {
  VIDRT_ENTER("cudaMemcpy2DAsync");
  return Runtime::get().copy(to, to_pitch, from, from_pitch, bytes, rows, kind, stream);
}
