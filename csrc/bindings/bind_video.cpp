#include <pybind11/stl.h>

#include <memory>
#include <vector>

#include "bindings/array_views.h"
#include "bindings/bindings.h"
#include "vidrt/video.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

using Pixels = std::shared_ptr<const std::vector<std::uint8_t>>;

// The array shares the pixels: they outlive the Video for as long as an array refers to them.
py::object frames_of(const Video& video) {
  if (!video.rgb) return py::none();
  auto shared = std::make_unique<Pixels>(video.rgb);
  const py::capsule owner(shared.get(), [](void* pointer) { delete static_cast<Pixels*>(pointer); });
  shared.release();  // NOLINT(bugprone-unused-return-value): the capsule owns it now
  return readonly_view<std::uint8_t>({video.num_frames, video.height, video.width, 3}, video.rgb->data(), owner);
}

}  // namespace

void bind_video(py::module_& m) {
  py::class_<Timings>(m, "Timings")
      .def_readonly("load", &Timings::load)
      .def_readonly("encode", &Timings::encode)
      .def_readonly("encode_image", &Timings::encode_image)
      .def_readonly("denoise", &Timings::denoise)
      .def_readonly("decode", &Timings::decode)
      .def_readonly("last_step_to_first_frame", &Timings::last_step_to_first_frame)
      .def_readonly("first_frame", &Timings::first_frame)
      .def_readonly("total", &Timings::total)
      .def_readonly("session", &Timings::session);
  py::class_<VideoMetadata>(m, "VideoMetadata")
      .def_readonly("bundle", &VideoMetadata::bundle)
      .def_readonly("vidrt_version", &VideoMetadata::vidrt_version)
      .def_readonly("backend", &VideoMetadata::backend)
      .def_readonly("device", &VideoMetadata::device)
      .def_readonly("variants", &VideoMetadata::variants)
      .def_readonly("prompt", &VideoMetadata::prompt)
      .def_readonly("negative_prompt", &VideoMetadata::negative_prompt)
      .def_readonly("image_sha256", &VideoMetadata::image_sha256)
      .def_readonly("seed", &VideoMetadata::seed)
      .def_readonly("num_inference_steps", &VideoMetadata::num_inference_steps)
      .def_readonly("guidance_scale", &VideoMetadata::guidance_scale)
      .def_readonly("scheduler", &VideoMetadata::scheduler)
      .def_readonly("step_cache", &VideoMetadata::step_cache)
      .def_readonly("skipped_steps", &VideoMetadata::skipped_steps)
      .def_readonly("guidance", &VideoMetadata::guidance)
      .def_readonly("residency", &VideoMetadata::residency)
      .def_readonly("decode_chunk", &VideoMetadata::decode_chunk)
      .def_readonly("tiles", &VideoMetadata::tiles)
      .def_readonly("arena_bytes", &VideoMetadata::arena_bytes)
      .def_readonly("warnings", &VideoMetadata::warnings);
  py::class_<Video>(m, "Video")
      .def_property_readonly("frames", &frames_of)
      .def_readonly("num_frames", &Video::num_frames)
      .def_readonly("height", &Video::height)
      .def_readonly("width", &Video::width)
      .def_readonly("fps", &Video::fps)
      .def_readonly("metadata", &Video::metadata)
      .def_readonly("timings", &Video::timings);
}

}  // namespace vidrt::bindings
