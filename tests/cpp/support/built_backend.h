// TrtSession over the reference backend: engines that take shapes, addresses and a workspace, without TensorRT.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/reference_backend.h"
#include "tensorrt/backend/trt_session.h"

namespace vidrt::testing {

/// An engine of a reference session. Checks that it is used as TensorRT asks.
class ReferenceContext : public trt::EngineContext {
 public:
  ReferenceContext(std::unique_ptr<Session> session, const ModuleRequest& request, std::size_t workspace_bytes);

  const std::vector<trt::Port>& ports() const override { return ports_; }
  void set_input_shape(const std::string& name, const Shape& shape) override { tensors_[name].shape = shape; }
  Shape output_shape(const std::string& name) override;
  std::size_t workspace_bytes() override { return workspace_bytes_; }
  void use_workspace(void* data, std::size_t bytes) override { workspace_ = {data, bytes}; }
  void bind(const std::string& name, void* data) override { tensors_[name].data = data; }
  void enqueue() override;
  void tell_layers(trt::LayerSink sink) override { sink_ = std::move(sink); }

 private:
  std::unique_ptr<Session> session_;
  const VaeConfig vae_;
  const std::string module_;
  const Variant& variant_;
  const std::size_t workspace_bytes_;
  std::vector<trt::Port> ports_;
  std::map<std::string, TensorView> tensors_;
  Workspace workspace_;
  trt::LayerSink sink_;
};

/// A backend of such engines; its modules' arithmetic and limits are those of `reference`, which runs on `device`.
class BuiltBackend : public Backend {
 public:
  BuiltBackend(std::shared_ptr<ReferenceBackend> reference, std::shared_ptr<GpuDevice> device)
      : reference_(std::move(reference)), device_(std::move(device)) {}

  std::string name() const override { return reference_->name(); }
  std::string description() const override { return "built 1.0"; }
  bool has_custom_op(const std::string&) const override { return false; }
  Device& device() const override { return *device_; }
  ModuleNeeds needs(const ModuleRequest& request) const override { return reference_->needs(request); }
  bool shares_weights() const override { return false; }
  std::unique_ptr<Session> load(const ModuleRequest& request, const SessionOptions& options) override;

  bool cuda_graphs = true;

 private:
  std::shared_ptr<ReferenceBackend> reference_;
  std::shared_ptr<GpuDevice> device_;
};

}  // namespace vidrt::testing
