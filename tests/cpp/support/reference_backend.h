// A backend in plain loops that honours the module contracts of docs/bundle.md with simple, deterministic arithmetic.
// It lets the pipeline be tested without ONNX Runtime: chunking, cancelling, threads, failures.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "support/test_device.h"

namespace vidrt::testing {

class ReferenceBackend : public Backend {
 public:
  std::string name() const override { return "onnxruntime"; }  // what toy bundles declare
  std::string description() const override { return "reference 1.0"; }
  bool has_custom_op(const std::string&) const override { return false; }
  Device& device() const override { return elsewhere == nullptr ? host_device() : elsewhere->device(); }
  ModuleNeeds needs(const ModuleRequest& request) const override;
  bool shares_weights() const override { return built.empty(); }
  std::unique_ptr<Session> load(const ModuleRequest& request, const SessionOptions& options) override;

  /// Called before each run is done, with the module's name; may throw or cancel. Set before the pipeline is used.
  std::function<void(const std::string&)> before_run;
  /// Called when a run is asked for, with the module's name. Set before the pipeline is used.
  std::function<void(const std::string&)> on_run;
  void release_unused_memory() override {
    if (on_rest) on_rest();
  }

  /// Called when memory that waits for further runs is to be given back. Set before the pipeline is used.
  std::function<void()> on_rest;
  /// Called when a run has been done, with the module's name and its tensors. Set before the pipeline is used.
  std::function<void(const std::string&, const std::vector<NamedTensor>&, const std::vector<NamedTensor>&)> after_run;
  /// Where tensors live and sessions run; the host, unless set before the pipeline is opened.
  std::shared_ptr<TestDevice> elsewhere;
  /// As if engines had been built: the sizes that each module takes. Empty: any, as graphs do.
  std::map<std::string, ModuleSizes> built;
  /// Memory that each run is lent, and fills with nonsense.
  std::uint64_t workspace_bytes = 0;
  /// And of decoders, for each pixel of the frames that they are loaded for.
  std::uint64_t workspace_per_pixel = 0;
  /// Modules are said to have that many times the weights that they have.
  std::uint64_t weight_scale = 1;
  /// Of each module's weights, in percent, what can be streamed; and what a run is lent besides where any is.
  std::uint64_t streamable_percent = 0, staging_bytes = 0;
  /// Bytes of weights that the module was to stream when it was last loaded. Not for several pipelines at once.
  std::map<std::string, std::uint64_t> streamed;
  /// Sessions take the sizes that they were loaded for, and no others.
  bool exact = false;
  /// Latent frames around each that a decoder of form "whole" reads.
  ReceptiveField reads;
  /// The denoiser's prediction holds one value that is not a number.
  bool poison_denoiser = false;
  /// So do the latents of the image encoder.
  bool poison_encoder = false;
  /// Sessions alive at the moment, and the most there ever were.
  int alive() const { return alive_.load(); }
  int most_alive() const { return most_alive_.load(); }
  int loads() const { return loads_.load(); }

  void count_load();
  void count_unload() { --alive_; }

 private:
  std::atomic<int> alive_{0}, most_alive_{0}, loads_{0};
};

}  // namespace vidrt::testing
