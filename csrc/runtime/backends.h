// The vocabulary's words for backends and devices to the backends themselves.
#pragma once

#include <memory>
#include <string>

#include "runtime/session.h"
#include "vidrt/options.h"

namespace vidrt {

/// Set what `options` leaves open: which backend is meant by "auto", and on which device it runs. Throws
/// InvalidArgument for unknown words and for those that do not go together.
void resolve_backend(PipelineOptions* options);

/// Throws InvalidArgument where profile_layers is asked of a backend that cannot.
void check_can_profile(const PipelineOptions& resolved);

/// Make the backend for PipelineOptions::backend and ::device, of which nothing is left open. Throws BackendError when
/// a library or the device is missing; the message says what to install and lists where it was looked for.
std::shared_ptr<Backend> make_backend(const std::string& backend, const std::string& device);

}  // namespace vidrt
