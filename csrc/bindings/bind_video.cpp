#include <pybind11/stl.h>

#include <memory>
#include <vector>

#include "bindings/array_views.h"
#include "bindings/bindings.h"
#include "vidrt/video.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

// The array shares the pixels: they outlive the Video for as long as an array refers to them.
template <typename Pixel>
py::object array_of(const Video& video, const std::shared_ptr<const std::vector<Pixel>>& pixels) {
  using Pixels = std::shared_ptr<const std::vector<Pixel>>;
  auto shared = std::make_unique<Pixels>(pixels);
  const py::capsule owner(shared.get(), [](void* pointer) { delete static_cast<Pixels*>(pointer); });
  shared.release();  // NOLINT(bugprone-unused-return-value): the capsule owns it now
  return readonly_view<Pixel>({video.num_frames, video.height, video.width, 3}, pixels->data(), owner);
}

py::object frames_of(const Video& video) {
  if (video.rgb) return array_of(video, video.rgb);
  if (video.rgb_float) return array_of(video, video.rgb_float);
  return py::none();
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
      .def_readonly("video_sha256", &VideoMetadata::video_sha256)
      .def_readonly("strength", &VideoMetadata::strength)
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
