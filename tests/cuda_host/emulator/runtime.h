// The emulated CUDA runtime behind tests/cuda_host/include/cuda_runtime_api.h: devices whose memory the host cannot
// touch, and streams whose work is done only when somebody waits for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cuda_runtime_api.h"

struct CUevent_st {
  cudaStream_t stream = nullptr;
  std::uint64_t place = 0;  // how much of the stream's work has to be done
};

namespace vidrt::cuda_host {

/// Work on a stream. An error, or an exception, is the device's end, as on a GPU.
using Work = std::function<cudaError_t()>;

}  // namespace vidrt::cuda_host

struct CUgraph_st {
  std::vector<vidrt::cuda_host::Work> work;
};
struct CUgraphExec_st {
  std::vector<vidrt::cuda_host::Work> work;
};

namespace vidrt::cuda_host {

class Runtime {
 public:
  static Runtime& get();
  Runtime();
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// As in a new process. What is alive is forgotten: its owners must be gone.
  void reset();

  // What the machine is like. A test sets it.
  int devices = 1;
  cudaError_t driver = cudaSuccess;  // what looking for devices gives
  int major = 9;
  std::size_t total_bytes = std::size_t{1} << 30;
  /// An error from it is the call's, which then does nothing.
  std::function<cudaError_t(const std::string& call)> before_call;

  /// Queue work that may touch memory of the device.
  cudaError_t queue(cudaStream_t stream, Work work);

  /// What a GPU would not forgive or not report: faults of kernels, copies out of bounds, memory freed too early.
  std::vector<std::string> faults;
  /// Device memory, page-locked memory, streams, events and graphs that are not given back.
  std::size_t alive() const {
    return device_memory_.size() + pinned_.size() + streams_.size() + events_.size() + graphs_.size() + execs_.size();
  }
  /// Graphs that were made, and how often one was launched.
  int graphs_made = 0;
  int graphs_launched = 0;
  std::size_t free_bytes() const;
  /// Whether the stream and the legacy default stream wait for each other.
  bool waits_for_default(cudaStream_t stream) const { return streams_.at(stream).waits_for_default; }

  // What cuda_runtime_api.h is made of. `call` is the function's name.
  cudaError_t enter(const char* call);
  cudaError_t set_device(int device);
  cudaError_t allocate(void** memory, std::size_t bytes);
  cudaError_t release(void* memory);
  cudaError_t allocate_pinned(void** memory, std::size_t bytes);
  cudaError_t release_pinned(void* memory);
  cudaError_t create(cudaStream_t* stream, unsigned flags);
  cudaError_t destroy(cudaStream_t stream);
  cudaError_t create(cudaEvent_t* event);
  cudaError_t destroy(cudaEvent_t event);
  cudaError_t record(cudaEvent_t event, cudaStream_t stream);
  /// Do the stream's first `place` pieces of work.
  cudaError_t run_until(cudaStream_t stream, std::uint64_t place);
  std::uint64_t queued(cudaStream_t stream) const { return streams_.at(stream).queued; }
  cudaError_t begin_capture(cudaStream_t stream);
  cudaError_t end_capture(cudaStream_t stream, cudaGraph_t* graph);
  cudaError_t instantiate(cudaGraphExec_t* exec, cudaGraph_t graph);
  cudaError_t launch(cudaGraphExec_t exec, cudaStream_t stream);
  cudaError_t destroy(cudaGraph_t graph);
  cudaError_t destroy(cudaGraphExec_t exec);
  cudaError_t copy(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                   std::size_t rows, cudaMemcpyKind kind, cudaStream_t stream);

 private:
  struct Queue {
    int device = 0;
    bool waits_for_default = true;
    std::deque<Work> work;
    std::uint64_t queued = 0;
    std::uint64_t done = 0;
    // What is recorded instead of queued; waiting or taking memory spoils it.
    bool is_captured = false;
    bool is_spoilt = false;
    std::vector<Work> captured;
  };
  struct Block {
    std::size_t bytes = 0;   // asked for
    std::size_t mapped = 0;  // whole pages
    int device = 0;
  };

  cudaError_t fail(const std::string& fault, cudaError_t error);
  void set_reachable(bool is_reachable);
  /// The block that these bytes lie in, or null.
  static const Block* find(const std::map<std::uintptr_t, Block>& blocks, const void* begin, std::size_t bytes);
  bool lies_in_device(cudaStream_t stream, const void* begin, std::size_t bytes) const;
  bool is_idle() const;
  /// A call that must not come while work is recorded. Whether it did.
  bool spoils_captures();

  std::map<std::uintptr_t, Block> device_memory_;
  std::map<std::uintptr_t, Block> pinned_;
  std::map<cudaStream_t, Queue> streams_;
  std::set<cudaEvent_t> events_;
  std::set<cudaGraph_t> graphs_;
  std::set<cudaGraphExec_t> execs_;
  cudaError_t lost_ = cudaSuccess;  // the error that every call gives since
};

}  // namespace vidrt::cuda_host
