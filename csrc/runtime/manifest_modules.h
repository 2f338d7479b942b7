// The "modules" object of a manifest.
#pragma once

#include <map>
#include <string>

#include "runtime/json_object.h"
#include "vidrt/bundle.h"

namespace vidrt {

/// Read all modules and their variants. `data_files` are those the manifest declares; a variant may name no other.
/// Throws BundleError.
std::map<std::string, Module> read_modules(JsonObject object, const std::map<std::string, DataFile>& data_files);

}  // namespace vidrt
