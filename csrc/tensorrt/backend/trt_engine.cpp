#include "tensorrt/backend/trt_engine.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/mapped_file.h"
#include "tensorrt/backend/engine_failure.h"
#include "tensorrt/backend/trt_log.h"
#include "tensorrt/backend/weight_budget.h"
#include "vidrt/errors.h"

namespace vidrt::trt {
namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;

std::optional<DType> dtype_of(DataType type) {
  switch (type) {
    case DataType::kFLOAT:
      return DType::kFloat32;
    case DataType::kHALF:
      return DType::kFloat16;
    case DataType::kBF16:
      return DType::kBFloat16;
    case DataType::kINT64:
      return DType::kInt64;
    case DataType::kINT32:
      return DType::kInt32;
    case DataType::kUINT8:
      return DType::kUInt8;
    case DataType::kBOOL:
      return DType::kBool;
    default:
      return std::nullopt;
  }
}

Shape shape_of(const Dims& dims) { return {dims.d, dims.d + std::max(0, dims.nbDims)}; }

// TensorRT calls it once a layer, while enqueueV3 waits for the run.
class Profiler : public nvinfer1::IProfiler {
 public:
  explicit Profiler(LayerSink sink) : sink_(std::move(sink)) {}

  void reportLayerTime(const char* layer, float ms) noexcept override {
    try {
      sink_(layer, static_cast<double>(ms));
    } catch (...) {
      // Out of memory, within TensorRT: the time is lost, and the process goes on.
    }
  }

 private:
  LayerSink sink_;
};

class TrtContext : public EngineContext {
 public:
  TrtContext(std::string module, std::unique_ptr<nvinfer1::ICudaEngine> engine, std::optional<std::uint64_t> streamed,
             GpuDevice& device)
      : module_(std::move(module)), device_(device), engine_(std::move(engine)) {
    for (std::int32_t i = 0; i < engine_->getNbIOTensors(); ++i) add_port(engine_->getIOTensorName(i));
    const auto refuse = [this](std::int64_t budget) {
      fail(module_ + ": TensorRT does not keep " + std::to_string(budget) +
               " bytes of the engine's weights on the device",
           static_cast<std::uint64_t>(budget));
    };
    context_.reset(
        make_context(*engine_, streamed, nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED, refuse));
    if (context_ == nullptr) fail(module_ + ": TensorRT made no execution context");
    if (!context_->setOptimizationProfileAsync(0, stream())) fail(module_ + ": TensorRT took no profile");
  }

  const std::vector<Port>& ports() const override { return ports_; }

  void set_input_shape(const std::string& name, const Shape& shape) override {
    Dims dims{};
    dims.nbDims = static_cast<std::int32_t>(shape.size());
    if (shape.size() <= Dims::MAX_DIMS) {
      std::copy(shape.begin(), shape.end(), dims.d);
      if (context_->setInputShape(name.c_str(), dims)) return;
    }
    using Select = nvinfer1::OptProfileSelector;
    fail(module_ + " takes " + name + " from " + profile_shape(name, Select::kMIN) + " to " +
         profile_shape(name, Select::kMAX) + ", got " + shape_string(shape) +
         "; build an engine for this size (vidrt build)");
  }

  Shape output_shape(const std::string& name) override { return shape_of(context_->getTensorShape(name.c_str())); }

  std::size_t workspace_bytes() override {
    const std::size_t bytes = context_->updateDeviceMemorySizeForShapes();
    // 0 is also what TensorRT gives where it fails.
    const std::string said = bytes == 0 ? TrtLog::instance().take_errors() : ".";
    if (said != ".") throw BackendError(module_ + ": TensorRT does not say what these shapes need" + said);
    return bytes;
  }

  void use_workspace(void* data, std::size_t bytes) override {
    context_->setDeviceMemoryV2(data, static_cast<std::int64_t>(bytes));
  }

  void bind(const std::string& name, void* data) override {
    if (!context_->setTensorAddress(name.c_str(), data))
      fail(module_ + ": TensorRT did not take the memory of " + name);
  }

  void enqueue() override {
    if (!context_->enqueueV3(stream())) fail(module_ + " failed in TensorRT");
  }

  void tell_layers(LayerSink sink) override {
    profiler_ = std::make_unique<Profiler>(std::move(sink));
    context_->setProfiler(profiler_.get());
    context_->setEnqueueEmitsProfile(true);
  }

 private:
  void add_port(const char* name) {
    const std::optional<DType> dtype = dtype_of(engine_->getTensorDataType(name));
    const bool on_device = engine_->getTensorLocation(name) == nvinfer1::TensorLocation::kDEVICE;
    if (!dtype.has_value() || !on_device) {
      throw BackendError(module_ + ": the engine's tensor " + name +
                         " is of a type, or in a place, that vidrt does not " +
                         "know; build it again with this version.");
    }
    ports_.push_back({name, *dtype, engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT});
  }

  [[noreturn]] void fail(const std::string& what, std::uint64_t bytes = 0) const {
    fail_in_tensorrt(what, TrtLog::instance().take_errors(), device_, bytes);
  }

  std::string profile_shape(const std::string& name, nvinfer1::OptProfileSelector select) const {
    return shape_string(shape_of(engine_->getProfileShape(name.c_str(), 0, select)));
  }

  cudaStream_t stream() const { return static_cast<cudaStream_t>(device_.stream()); }

  const std::string module_;
  GpuDevice& device_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;
  std::unique_ptr<Profiler> profiler_;                    // after its context
  std::unique_ptr<nvinfer1::IExecutionContext> context_;  // before its engine
  std::vector<Port> ports_;
};

}  // namespace

std::unique_ptr<EngineContext> load_engine(nvinfer1::IRuntime& runtime, const EngineSidecar& sidecar,
                                           std::uint64_t streamed_bytes, GpuDevice& device) {
  TrtLog::instance().take_errors();  // those of others
  std::unique_ptr<nvinfer1::ICudaEngine> engine;
  {
    const MappedFile plan(sidecar.plan, sidecar.plan_bytes);
    engine.reset(runtime.deserializeCudaEngine(plan.data(), plan.bytes()));
  }
  if (engine == nullptr) {
    const std::uint64_t weights = sidecar.weight_bytes != 0 ? sidecar.weight_bytes : sidecar.plan_bytes;
    fail_in_tensorrt(sidecar.module + ": TensorRT does not load the plan " + sidecar.plan,
                     TrtLog::instance().take_errors(), device, weights - std::min(weights, streamed_bytes));
  }
  const auto streamed = sidecar.weight_streaming ? std::optional(streamed_bytes) : std::nullopt;
  return std::make_unique<TrtContext>(sidecar.module, std::move(engine), streamed, device);
}

}  // namespace vidrt::trt
