#include "cuda/cuda_device.h"

#include <algorithm>
#include <cstdint>

#include "cuda/cuda_call.h"
#include "cuda/cuda_frame_reader.h"
#include "cuda/cuda_graph.h"
#include "cuda/loop_step.h"
#include "kernels/loop/loop_kernels.h"
#include "runtime/memory_plan.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::size_t kCudaAlignment = 256;  // of cudaMalloc
static_assert(kCudaAlignment % kArenaAlignment == 0, "memory is as aligned as the arena needs");

static_assert(kernels::kLoopLanes == kDifferenceLanes, "the kernel sums the lanes of the host");
constexpr std::size_t kResultBytes =
    std::max(kernels::kMaxLoopVerdicts * sizeof(std::uint32_t), kernels::kLoopLanes * sizeof(float));
constexpr int kLeastMajor = 8;  // of the compute capability: csrc/kernels/cuda/device_gpu.cuh

std::string capability(const cudaDeviceProp& properties) {
  return std::to_string(properties.major) + "." + std::to_string(properties.minor);
}

}  // namespace

cudaDeviceProp CudaDevice::select(int index) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaErrorNoDevice) check_cuda(error, "looking for devices");
  if (index < 0 || index >= count) {
    const std::string there =
        count == 0 ? "the driver sees none"
                   : "the driver sees " + std::to_string(count) + ", the last is cuda:" + std::to_string(count - 1);
    throw BackendError("there is no CUDA device cuda:" + std::to_string(index) + ": " + there +
                       ". Choose another, or device cpu; CUDA_VISIBLE_DEVICES may hide some.");
  }
  check_cuda(cudaSetDevice(index), "choosing a device");
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, index), "asking for a device's properties");
  if (properties.major < kLeastMajor) {
    throw BackendError(std::string(properties.name) + " (cuda:" + std::to_string(index) + ") has compute capability " +
                       capability(properties) + ", 8.0 or later is needed; choose another device, or device cpu.");
  }
  return properties;
}

CudaDevice::CudaDevice(int index)
    : index_(index), properties_(select(index)), results_(kResultBytes), device_results_(*this, kResultBytes) {
  check_kernels();
}

// Once, where the message can say what to do, instead of in the middle of a generation.
void CudaDevice::check_kernels() {
  const auto error = static_cast<cudaError_t>(
      kernels::loop_fill_cuda(static_cast<float*>(device_results_.data()), kernels::kLoopLanes, 0.0f, stream_.get()));
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction) {
    const std::string architecture = std::to_string(properties_.major) + std::to_string(properties_.minor);
    throw BackendError("this build of vidrt has no code for " + name() + " (compute capability " +
                       compute_capability() + "); build it with -DVIDRT_CUDA_ARCHITECTURES=" + architecture +
                       " (docs/cuda_kernels.md).");
  }
  check_cuda(error, "starting a kernel");
  wait();
}

void CudaDevice::use() const { check_cuda(cudaSetDevice(index_), "choosing a device"); }

void CudaDevice::wait() {
  idle_.record(stream_.get());
  idle_.wait();
}

void CudaDevice::settle() noexcept {
  cudaSetDevice(index_);
  cudaStreamSynchronize(stream_.get());
}

std::unique_ptr<RecordedWork> CudaDevice::record(const std::function<void()>& work) {
  return record_cuda_graph(*this, work);
}

void CudaDevice::synchronize() {
  use();
  wait();
}

void* CudaDevice::allocate(std::size_t bytes) {
  use();
  void* memory = nullptr;
  // Nothing is refused no memory.
  const cudaError_t error = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));
  if (error == cudaErrorMemoryAllocation) return nullptr;
  check_cuda(error, "taking memory of the device");
  return memory;
}

void CudaDevice::release(void* memory) noexcept {
  if (memory == nullptr) return;
  settle();
  cudaFree(memory);
}

std::string CudaDevice::memory_state() const {
  std::size_t free = 0;
  std::size_t total = 0;
  if (cudaSetDevice(index_) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) return "";
  return std::to_string(free) + " of " + std::to_string(total) + " bytes are free on " + name();
}

std::optional<std::uint64_t> CudaDevice::free_bytes() const {
  std::size_t free = 0;
  std::size_t total = 0;
  if (cudaSetDevice(index_) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) return std::nullopt;
  return free;
}

void CudaDevice::copy_from_host(void* to, const void* from, std::size_t bytes) {
  use();
  upload_.copy(to, from, bytes, stream_.get());
}

void CudaDevice::copy_to_host(void* to, const void* from, std::size_t bytes) {
  use();
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_.get()), "copying from the device");
  wait();
}

void CudaDevice::copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                           std::size_t rows) {
  use();
  check_cuda(cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, bytes, rows, cudaMemcpyDeviceToDevice, stream_.get()),
             "copying on the device");
}

void CudaDevice::fill(const TensorView& tensor, float value) {
  use();
  check_launch(kernels::loop_fill_cuda(tensor.as<float>(), tensor.elements(), value, stream_.get()),
               "filling a tensor");
}

void CudaDevice::apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) {
  use();
  check_launch(kernels::loop_step_cuda(make_loop_step(table, step, tensors), stream_.get()), "a scheduler's step");
}

void CudaDevice::end_step() {
  use();
  last_step_ = 1 - last_step_;
  step_ends_[last_step_].record(stream_.get());
  step_ends_[1 - last_step_].wait();
}

bool CudaDevice::all_finite(const TensorView& tensor) {
  use();
  const std::int64_t count = tensor.elements();
  const auto words = static_cast<std::size_t>(kernels::loop_verdicts(count));
  auto* verdicts = static_cast<std::uint32_t*>(device_results_.data());
  check_launch(kernels::loop_find_not_finite_cuda(tensor.as<float>(), count, verdicts, stream_.get()),
               "looking for values that are not finite");
  fetch_results(words * sizeof(std::uint32_t));
  const auto* found = static_cast<const std::uint32_t*>(results_.data());
  return std::all_of(found, found + words, [](std::uint32_t verdict) { return verdict == 0; });
}

double CudaDevice::mean(const TensorView& a, const float* others) {
  use();
  const std::int64_t count = a.elements();
  check_launch(kernels::loop_sum_differences_cuda(a.as<float>(), others, count,
                                                  static_cast<float*>(device_results_.data()), stream_.get()),
               "summing differences");
  fetch_results(kernels::kLoopLanes * sizeof(float));
  return mean_of_lanes(static_cast<const float*>(results_.data()), count);
}

void CudaDevice::fetch_results(std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(results_.data(), device_results_.data(), bytes, cudaMemcpyDeviceToHost, stream_.get()),
             "copying from the device");
  wait();
}

void CudaDevice::blend_tile(const TileBlend& blend) {
  use();
  const Shape& whole = blend.frames.shape;
  const Shape& part = blend.tile.shape;
  kernels::LoopBlend loop;
  loop.frames = blend.frames.as<float>();
  loop.num_frames = whole[2];
  loop.height = whole[3];
  loop.width = whole[4];
  loop.tile = blend.tile.as<float>();
  loop.tile_frames = part[2];
  loop.tile_height = part[3];
  loop.tile_width = part[4];
  loop.rows = blend.rows;
  loop.columns = blend.columns;
  loop.first = blend.first;
  loop.count = blend.count;
  loop.top = blend.top;
  loop.left = blend.left;
  check_launch(kernels::loop_blend_cuda(loop, stream_.get()), "blending a tile");
}

std::unique_ptr<FrameReader> CudaDevice::frame_reader(int max_frames, std::int64_t height, std::int64_t width,
                                                      DType output) {
  use();
  return std::make_unique<CudaFrameReader>(*this, max_frames, height * width, output);
}

std::string CudaDevice::compute_capability() const { return capability(properties_); }

}  // namespace vidrt
