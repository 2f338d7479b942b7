// The JSON file beside a TensorRT plan, which `vidrt build` writes (engine/builder/sidecar.py, docs/engines.md): what
// the engine was built from, for what and with what result.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/session.h"

namespace vidrt {

struct EngineSidecar {
  std::string path;  // of the sidecar
  std::string plan;  // path of the plan, in the same folder
  std::uint64_t plan_bytes = 0;
  std::string plan_sha256;

  // What it was built from.
  std::string bundle, module, variant;
  std::string graph_sha256;
  std::map<std::string, std::string> data_files;  // SHA-256 of the weight files by name

  // What it was built for.
  std::string backend;
  std::string version;                            // as Python's bindings say it: "10.15.1.29", on a Jetson "10.3.0"
  std::vector<std::string> compute_capabilities;  // "8.9"; "12.0+" is that and all later
  std::string machine;                            // "x86_64"
  ModuleSizes sizes;                              // of those that the module depends on
  bool version_compatible = false;
  bool weight_streaming = false;
  bool stripped = false;                       // the plan has no weights
  std::map<std::string, std::string> plugins;  // SHA-256 of the libraries by file name

  // What came of it. 0 where TensorRT did not say.
  std::uint64_t activation_bytes = 0;  // at the largest shapes
  std::uint64_t weight_bytes = 0;
  std::uint64_t streamable_weight_bytes =
      0;                                   // of these, what may stay on the host; engines built with weight_streaming
  std::uint64_t weight_staging_bytes = 0;  // of device memory that a run takes besides where all of that does
  std::string built;                       // ISO 8601 in UTC
};

/// Throws BackendError for what is no sidecar, or one of another schema.
EngineSidecar read_engine_sidecar(const std::string& path);

}  // namespace vidrt
