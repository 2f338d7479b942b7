// Times of the layers of one graph, run by run, as backends report them, and what is made of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vidrt/layer_profile.h"

namespace vidrt {

/// Filled in by one thread: the layers of a run, then end_run().
class LayerTimes {
 public:
  /// A layer of the run that is being timed. Times of one name add up.
  void add(const std::string& name, const std::string& type, double ms);
  /// The layers since the last call were a run that took so long as a whole.
  void end_run(double run_ms);
  /// They were of a run that failed.
  void drop_run() { current_.clear(); }
  /// So many runs happened of which there are no times.
  void miss_runs(int count) { missed_runs_ += count; }
  /// Take over the runs of another session of the same graph.
  void append(LayerTimes&& other);

  int missed_runs() const { return missed_runs_; }
  int runs() const { return static_cast<int>(run_ms_.size()); }
  /// Medians and shares; without the module's name.
  ModuleProfile profile() const;

 private:
  struct Layer {
    std::string type;
    std::vector<double> ms;  // of one run each
  };
  std::map<std::string, Layer> layers_;   // of the runs that ended, by name
  std::map<std::string, Layer> current_;  // of the run that is being timed; each has one time
  std::vector<double> run_ms_;
  int missed_runs_ = 0;
};

}  // namespace vidrt
