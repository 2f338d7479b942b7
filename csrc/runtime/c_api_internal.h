// What the files of the C interface share: the handles, the way errors become statuses, structs of any size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <type_traits>

#include "vidrt/pipeline.h"
#include "vidrt/vidrt.h"

struct vidrt_pipeline {
  vidrt::Pipeline pipeline;
  std::string backend;
};

struct vidrt_prompt_embeds {
  vidrt::PromptEmbeds embeds;
};

struct vidrt_cancel_token {
  vidrt::CancelToken token;
};

struct vidrt_layer_profile {
  vidrt::LayerProfile modules;
};

struct vidrt_video {
  vidrt::Video video;
};

namespace vidrt::c_api {

/// A handle around a pipeline that was opened otherwise. Throws only std::bad_alloc.
vidrt_pipeline* wrap(Pipeline pipeline);

/// Record the message for vidrt_last_error and give `status` back.
vidrt_status fail(vidrt_status status, const char* message) noexcept;
/// The status of the exception being handled; its message is recorded.
vidrt_status status_of_current_exception() noexcept;

/// Fill in the fields of a plan's tiles, which a video's information has as well.
template <typename Struct>
void fill_tiles(const PlannedTiles& tiles, Struct* filled) {
  filled->tile_rows = tiles.rows;
  filled->tile_columns = tiles.columns;
  filled->tile_height = tiles.height;
  filled->tile_width = tiles.width;
  filled->tile_overlap_height = tiles.overlap_height;
  filled->tile_overlap_width = tiles.overlap_width;
}

/// Run `body`; whatever it throws becomes a status.
template <typename Body>
vidrt_status guarded(Body&& body) noexcept {
  try {
    body();
    return VIDRT_OK;
  } catch (...) {
    return status_of_current_exception();
  }
}

/// Throws InvalidArgument naming the argument when `pointer` is null.
template <typename T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr) throw InvalidArgument(std::string(name) + " is NULL; expected a pointer.");
  return *pointer;
}

/// Hand the new object that `make` returns to the caller. The place for it is checked first, so that none is lost.
template <typename Handle, typename Make>
vidrt_status give_handle(Handle** target, const char* name, Make&& make) noexcept {
  return guarded([&] {
    required(target, name);
    *target = make();
  });
}

/// Throws InvalidArgument when `struct_size` is less than this version's first form of the struct.
void check_struct_size(const char* name, std::size_t struct_size, std::size_t smallest);
/// Throws InvalidArgument when a byte from `known` to `struct_size` is set: a field that this library does not have.
void check_unknown_fields(const char* name, const void* given, std::size_t struct_size, std::size_t known);

/// A copy of a struct that a caller passed in, whatever version of the header it was compiled with. Fields it does not
/// have are zero. All structs are still in their first form, which is therefore the smallest allowed.
template <typename Struct>
Struct read_struct(const char* name, const Struct* given) {
  static_assert(std::is_trivially_copyable_v<Struct>);
  const std::size_t size = required(given, name).struct_size;
  check_struct_size(name, size, sizeof(Struct));
  check_unknown_fields(name, given, size, sizeof(Struct));
  Struct copy{};
  std::memcpy(&copy, given, std::min(size, sizeof(Struct)));
  return copy;
}

/// Write as much of `value` as the caller's struct holds; its struct_size stays.
template <typename Struct>
void write_struct(const char* name, const Struct& value, Struct* target) {
  const std::size_t size = required(target, name).struct_size;
  check_struct_size(name, size, sizeof(Struct));
  std::memcpy(target, &value, std::min(size, sizeof(Struct)));
  target->struct_size = size;
}

PipelineOptions pipeline_options(const vidrt_pipeline_options* given);
GenerateOptions generate_options(const vidrt_generate_options* given);
DecodeOptions decode_options(const vidrt_decode_options* given);
/// `given` may be null. A callback that returns non-zero throws Cancelled.
Callbacks callbacks(const vidrt_callbacks* given);

}  // namespace vidrt::c_api
