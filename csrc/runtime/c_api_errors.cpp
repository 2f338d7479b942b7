// Exceptions to statuses and per-thread messages; checks of struct sizes.
#include "runtime/c_api_internal.h"
#include "vidrt/version.h"

namespace vidrt::c_api {
namespace {

thread_local std::string last_message;
thread_local const char* last_error = "";

}  // namespace

vidrt_status fail(vidrt_status status, const char* message) noexcept {
  try {
    last_message = message;
    last_error = last_message.c_str();
  } catch (...) {
    last_error = "out of memory; the error's message could not be kept.";
  }
  return status;
}

vidrt_status status_of_current_exception() noexcept {
  try {
    throw;
  } catch (const InvalidArgument& error) {
    return fail(VIDRT_INVALID_ARGUMENT, error.what());
  } catch (const BundleError& error) {
    return fail(VIDRT_BUNDLE_ERROR, error.what());
  } catch (const BackendError& error) {
    return fail(VIDRT_BACKEND_ERROR, error.what());
  } catch (const OutOfMemory& error) {
    return fail(VIDRT_OUT_OF_MEMORY, error.what());
  } catch (const IoError& error) {
    return fail(VIDRT_IO_ERROR, error.what());
  } catch (const Cancelled& error) {
    return fail(VIDRT_CANCELLED, error.what());
  } catch (const std::bad_alloc&) {
    return fail(VIDRT_OUT_OF_MEMORY, "the system refused the memory.");
  } catch (const std::exception& error) {
    return fail(VIDRT_INTERNAL_ERROR, error.what());
  } catch (...) {
    return fail(VIDRT_INTERNAL_ERROR, "an exception that is no std::exception was thrown.");
  }
}

void check_struct_size(const char* name, std::size_t struct_size, std::size_t smallest) {
  if (struct_size >= smallest) return;
  throw InvalidArgument(std::string(name) + "->struct_size is " + std::to_string(struct_size) + "; expected sizeof *" +
                        name + ", " + std::to_string(smallest) + " or more. Set it before the call.");
}

void check_unknown_fields(const char* name, const void* given, std::size_t struct_size, std::size_t known) {
  const auto* bytes = static_cast<const unsigned char*>(given);
  constexpr std::size_t kLargest = 65536;  // a struct_size that was never set must not send us through all memory
  const auto is_zero = [](unsigned char byte) { return byte == 0; };
  if (struct_size <= known) return;
  if (struct_size <= kLargest && std::all_of(bytes + known, bytes + struct_size, is_zero)) return;
  throw InvalidArgument(std::string(name) + "->struct_size is " + std::to_string(struct_size) +
                        ", and of its fields vidrt " + version() + " knows the first " + std::to_string(known) +
                        " bytes; leave newer fields zero, or use the library that belongs to the header.");
}

}  // namespace vidrt::c_api

extern "C" {

const char* vidrt_version(void) noexcept { return vidrt::version(); }

const char* vidrt_last_error(void) noexcept { return vidrt::c_api::last_error; }

const char* vidrt_status_name(vidrt_status status) noexcept {
  switch (status) {
    case VIDRT_OK:
      return "VIDRT_OK";
    case VIDRT_INVALID_ARGUMENT:
      return "VIDRT_INVALID_ARGUMENT";
    case VIDRT_BUNDLE_ERROR:
      return "VIDRT_BUNDLE_ERROR";
    case VIDRT_BACKEND_ERROR:
      return "VIDRT_BACKEND_ERROR";
    case VIDRT_OUT_OF_MEMORY:
      return "VIDRT_OUT_OF_MEMORY";
    case VIDRT_IO_ERROR:
      return "VIDRT_IO_ERROR";
    case VIDRT_CANCELLED:
      return "VIDRT_CANCELLED";
    case VIDRT_INTERNAL_ERROR:
      return "VIDRT_INTERNAL_ERROR";
  }
  return "unknown";
}

}  // extern "C"
