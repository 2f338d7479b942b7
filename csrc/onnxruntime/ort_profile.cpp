#include "onnxruntime/ort_profile.h"

#include <stdlib.h>  // NOLINT: mkdtemp is POSIX's

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "onnxruntime/ort_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kMsPerUs = 1e-3;
const std::string kKernel = "_kernel_time";  // the ending of the events that are a node's work

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// One event of a trace: a node, or the run that it was in.
void note(const json& event, LayerTimes* times) {
  const auto duration = event.find("dur");
  if (duration == event.end() || !duration->is_number()) return;
  const double ms = duration->get<double>() * kMsPerUs;
  const std::string category = text_of(event, "cat");
  std::string name = text_of(event, "name");
  if (category == "Session" && name == "model_run") return times->end_run(ms);
  const bool is_kernel = category == "Node" && name.size() > kKernel.size() &&
                         name.compare(name.size() - kKernel.size(), kKernel.size(), kKernel) == 0;
  if (!is_kernel) return;
  name.resize(name.size() - kKernel.size());
  const auto args = event.find("args");
  times->add(name, args != event.end() && args->is_object() ? text_of(*args, "op_name") : "", ms);
}

}  // namespace

LayerTimes read_ort_profile(const std::string& path) {
  LayerTimes times;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw BackendError("cannot read the profile that ONNX Runtime wrote, " + path + ".");
  // Each event is looked at and let go: a profile of many runs takes hundreds of megabytes.
  const auto take = [&](int depth, json::parse_event_t what, json& value) {
    if (depth != 1 || what != json::parse_event_t::object_end) return true;
    note(value, &times);
    return false;
  };
  try {
    if (!json::parse(file, take).is_array()) throw BackendError(path + " is no profile of ONNX Runtime's: no array.");
  } catch (const json::exception& error) {
    throw BackendError(path +
                       " is no profile of ONNX Runtime's, or a part of one (is the disk full?): " + error.what());
  }
  times.drop_run();
  return times;
}

OrtProfile::OrtProfile() {
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  std::string name = (temporary / "vidrt-profile-XXXXXX").string();
  if (error || mkdtemp(name.data()) == nullptr) {
    throw IoError("cannot make a folder for ONNX Runtime's profile in " + temporary.string() + ": " +
                  (error ? error.message() : std::strerror(errno)) + "; set TMPDIR to a folder that can be written.");
  }
  folder_ = name;
}

OrtProfile::~OrtProfile() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void OrtProfile::enable(const OrtApi& api, ::OrtSessionOptions* options) const {
  check_ort(api, api.EnableProfiling(options, (fs::path(folder_) / "layers").c_str()), "profiling a session");
}

LayerTimes OrtProfile::end(const OrtApi& api, ::OrtSession* session, int runs) {
  const std::string what = "ending a session's profile";
  OrtAllocator* allocator = nullptr;
  check_ort(api, api.GetAllocatorWithDefaultOptions(&allocator), what);
  char* written = nullptr;
  check_ort(api, api.SessionEndProfiling(session, allocator, &written), what);
  const std::string path = written;
  check_ort(api, api.AllocatorFree(allocator, written), what);
  LayerTimes times = read_ort_profile(path);
  // It keeps a million events and drops those that come then.
  times.miss_runs(runs - times.runs());
  return times;
}

}  // namespace vidrt
