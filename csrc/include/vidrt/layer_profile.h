// What the layers of each module took, as their backend timed them (PipelineOptions::profile_layers).
#pragma once

#include <string>
#include <vector>

namespace vidrt {

/// One layer as the backend runs it: optimised graphs have others than the bundle's, several nodes fused into one.
struct LayerTime {
  std::string name;
  std::string type;        // the operator: "Conv"; empty where the backend does not say (TensorRT)
  double median_ms = 0.0;  // over the runs that had the layer; of one that runs several times in a run, their sum
  double share = 0.0;      // of the medians of all layers of the module
};

struct ModuleProfile {
  std::string module;
  std::string variant;
  int runs = 0;                   // that were timed
  int missed_runs = 0;            // that the backend kept no times of
  double run_ms = 0.0;            // median of whole runs; what the layers lack of it is between them
  std::vector<LayerTime> layers;  // slowest first
};

/// Modules by name; those that did not run are not there.
using LayerProfile = std::vector<ModuleProfile>;

}  // namespace vidrt
