// The engine cache as the core reads it: which of the plans in a folder may be loaded. `vidrt build` fills it.
#pragma once

#include <string>
#include <vector>

#include "runtime/engine_sidecar.h"
#include "vidrt/api.h"
#include "vidrt/bundle.h"
#include "vidrt/errors.h"

namespace vidrt {

/// `engines` in vidrt's cache folder.
std::string default_engine_folder();

/// What an engine has to be.
struct EngineWish {
  const Bundle& bundle;
  std::string module;
  std::string variant;             // empty: any
  std::string backend;             // "tensorrt" | "tensorrt-rtx"
  std::string version;             // of the TensorRT that runs it; empty: not asked
  std::string compute_capability;  // of the device that runs it, "8.9"; empty: not asked
  ModuleSizes sizes;
};

/// There is no such engine. Says which one would do, so that a caller who may build can.
class VIDRT_API MissingEngine : public BackendError {
 public:
  MissingEngine(const std::string& message, const EngineWish& wish);
  ~MissingEngine() override;

  std::string module;
  std::string variant;  // empty: any
  ModuleSizes sizes;
};

/// What to do where an engine is missing, a sentence.
std::string how_to_build(const Bundle& bundle, const std::string& backend);

/// Of the engines of a folder that are all that, their plans whole, the one that takes the least memory for activations
/// (a sidecar knows it for the engine's largest shapes: narrow ranges win), of such the newest. Throws MissingEngine
/// when there is none: the message names what differs in each that is there, and how to build one.
EngineSidecar find_engine(const std::string& folder, const EngineWish& wish);

/// What of an engine's source is no longer in its bundle; empty where all is.
std::string changed_source(const EngineSidecar& engine, const Bundle& bundle);

/// What stands against every engine of the wish's variant in a folder, their plans unread; empty where one is all that.
std::string engine_fault(const std::string& folder, const EngineWish& wish);

}  // namespace vidrt
