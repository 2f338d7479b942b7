// The modules of one pipeline: which variant of each runs, and which are loaded at the moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/activation_model.h"
#include "runtime/session.h"

namespace vidrt {

class ModuleSet {
 public:
  /// Chooses a variant for every module that a generation runs: the wanted one of those that have it (empty: no wish),
  /// of the others the first that can run. Throws BackendError listing what was refused and why.
  ModuleSet(const Bundle& bundle, std::shared_ptr<Backend> backend, const std::string& wanted_variant,
            SessionOptions session_options);

  Backend& backend() const { return *backend_; }
  const Variant& variant(const std::string& module) const;
  bool has(const std::string& module) const { return chosen_.count(module) != 0; }
  /// Where what its activations take is kept, once measured; "" where the user has no home.
  std::string activations_file(const std::string& module) const;
  /// What a module takes when it is loaded for these sizes. Throws BackendError where it cannot be.
  ModuleNeeds needs(const std::string& module, const ModuleSizes& sizes) const;
  /// Whether a module is loaded, takes these sizes, and streams that many bytes of its weights.
  bool loaded(const std::string& module, const ModuleSizes& sizes, std::uint64_t streamed_bytes) const;

  /// Load a module for these sizes, with that many bytes of its weights to be streamed.
  void load(const std::string& module, const ModuleSizes& sizes, std::uint64_t streamed_bytes);
  /// Unload all but `modules`.
  void keep_only(const std::vector<std::string>& modules);

  /// Run a loaded module. The time inside sessions adds up in session_ms(). What the backend kept from runs of other
  /// modules goes first: those of one stage say nothing about what the next one needs.
  void run(const std::string& module, const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
           const Workspace& workspace);
  /// After the last run of a call: memory that only waits for another one goes.
  void rest();
  double session_ms() const { return session_ms_; }
  /// What the layers took in all runs since the last call, where the session options ask for it. Unloads all modules.
  LayerProfile take_layer_profile();
  /// What the loaded modules took of the device's memory when they were loaded; 0 where the device does not say. From
  /// any thread.
  std::uint64_t held_bytes() const { return held_bytes_; }

 private:
  const Bundle& bundle_;  // owned by the pipeline, which outlives this
  std::shared_ptr<Backend> backend_;
  SessionOptions session_options_;
  std::map<std::string, const Variant*> chosen_;
  std::map<std::string, ActivationModel> measured_;  // as it was when the pipeline was opened
  struct Loaded {
    std::unique_ptr<Session> session;
    std::uint64_t streamed_bytes = 0;
    std::uint64_t held_bytes = 0;
  };
  void unload(const std::string& module);

  std::map<std::string, Loaded> loaded_;
  std::map<std::string, LayerTimes> layer_times_;  // of sessions that were unloaded, by module
  std::atomic<std::uint64_t> held_bytes_{0};
  std::string last_run_;
  double session_ms_ = 0.0;
};

}  // namespace vidrt
