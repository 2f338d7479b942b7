// The C interface's input structs as C++ options and callbacks.
#include "runtime/c_api_internal.h"

namespace vidrt::c_api {
namespace {

std::string text_or(const char* text, const char* fallback) { return text == nullptr ? fallback : text; }

bool flag(const char* name, std::int32_t value) {
  if (value == 0 || value == 1) return value == 1;
  throw InvalidArgument(std::string(name) + " is " + std::to_string(value) + "; expected 0 or 1.");
}

void stop_if_asked(int answer, const char* callback) {
  if (answer != 0) throw Cancelled(std::string("the generation was cancelled by ") + callback + ".");
}

TensorView latents_view(const float* latents, const std::int64_t (&shape)[4]) {
  TensorView view;
  view.data = const_cast<float*>(latents);  // read only: the pipeline copies it
  view.shape.assign(shape, shape + 4);
  return view;
}

VaeTiling vae_tiling(const vidrt_vae_tiling& given) {
  VaeTiling tiling;
  tiling.mode = text_or(given.mode, "auto");
  tiling.tile_sample_min_height = given.tile_sample_min_height;
  tiling.tile_sample_min_width = given.tile_sample_min_width;
  tiling.tile_sample_stride_height = given.tile_sample_stride_height;
  tiling.tile_sample_stride_width = given.tile_sample_stride_width;
  return tiling;
}

TensorView image_view(const std::uint8_t* image, std::int32_t height, std::int32_t width) {
  if (height < 1 || width < 1) {
    throw InvalidArgument("options->image_height and image_width are " + std::to_string(height) + " and " +
                          std::to_string(width) + "; expected the size of options->image in pixels.");
  }
  return {const_cast<std::uint8_t*>(image), DType::kUInt8, {height, width, 3}};  // read only, as the latents
}

TensorView video_view(const vidrt_generate_options& read) {
  if (read.video_num_frames < 1 || read.video_height < 1 || read.video_width < 1) {
    throw InvalidArgument("options->video_num_frames, video_height and video_width are " +
                          std::to_string(read.video_num_frames) + ", " + std::to_string(read.video_height) + " and " +
                          std::to_string(read.video_width) + "; expected the length and size of options->video.");
  }
  return {const_cast<std::uint8_t*>(read.video),  // read only, as the latents
          DType::kUInt8,
          {read.video_num_frames, read.video_height, read.video_width, 3}};
}

}  // namespace

PipelineOptions pipeline_options(const vidrt_pipeline_options* given) {
  PipelineOptions options;
  if (given == nullptr) return options;
  const auto read = read_struct("options", given);
  if (read.no_cuda_graphs != 0 && read.no_cuda_graphs != 1) {
    throw InvalidArgument("options->no_cuda_graphs is " + std::to_string(read.no_cuda_graphs) +
                          ", expected 0 or 1; set the whole struct to zero first.");
  }
  options.backend = text_or(read.backend, "auto");
  options.device = text_or(read.device, "");
  options.variant = text_or(read.variant, "");
  options.memory_budget = read.memory_budget;
  options.threads = read.threads;
  options.embeds_cache = read.embeds_cache;
  options.cuda_graphs = read.no_cuda_graphs == 0;
  options.profile_layers = flag("options->profile_layers", read.profile_layers);
  return options;
}

GenerateOptions generate_options(const vidrt_generate_options* given) {
  const auto read = read_struct("options", given);
  if (read.prompt == nullptr && read.prompt_embeds == nullptr) {
    throw InvalidArgument("options->prompt is NULL; expected what the video shall show, or prompt_embeds.");
  }
  GenerateOptions options;
  options.prompt = text_or(read.prompt, "");
  if (read.negative_prompt != nullptr) options.negative_prompt = read.negative_prompt;
  options.height = read.height;
  options.width = read.width;
  options.num_frames = read.num_frames;
  options.num_inference_steps = read.num_inference_steps;
  options.guidance_scale = read.guidance_scale;
  options.fps = read.fps;
  if (!flag("options->random_seed", read.random_seed)) options.seed = read.seed;
  options.truncate = flag("options->truncate", read.truncate);
  options.decode_chunk = read.decode_chunk;
  options.vae_tiling = vae_tiling(read.vae_tiling);
  options.step_cache = read.step_cache;
  options.keep_frames = !flag("options->discard_frames", read.discard_frames);
  options.output_type = text_or(read.output_type, "uint8");
  options.scheduler = text_or(read.scheduler, "");
  if (read.prompt_embeds != nullptr) options.prompt_embeds = &read.prompt_embeds->embeds;
  if (read.negative_prompt_embeds != nullptr) options.negative_prompt_embeds = &read.negative_prompt_embeds->embeds;
  if (read.latents != nullptr) options.latents = latents_view(read.latents, read.latents_shape);
  if (read.image != nullptr) options.image = image_view(read.image, read.image_height, read.image_width);
  if (read.video != nullptr) {
    options.video = video_view(read);
    options.strength = read.strength;
  }
  return options;
}

DecodeOptions decode_options(const vidrt_decode_options* given) {
  const auto read = read_struct("options", given);
  DecodeOptions options;
  required(read.latents, "options->latents");
  options.latents = latents_view(read.latents, read.latents_shape);
  if (read.fps != 0.0) options.fps = read.fps;
  options.decode_chunk = read.decode_chunk;
  options.vae_tiling = vae_tiling(read.vae_tiling);
  options.keep_frames = !flag("options->discard_frames", read.discard_frames);
  options.output_type = text_or(read.output_type, "uint8");
  return options;
}

Callbacks callbacks(const vidrt_callbacks* given) {
  Callbacks result;
  if (given == nullptr) return result;
  const auto read = read_struct("callbacks", given);
  void* const user_data = read.user_data;
  if (read.on_stage != nullptr) {
    result.on_stage = [call = read.on_stage, user_data](const StageEvent& event) {
      const vidrt_stage_event c_event = {sizeof c_event, static_cast<vidrt_stage>(event.stage), event.done,
                                         event.total};
      stop_if_asked(call(user_data, &c_event), "on_stage");
    };
  }
  if (read.on_step != nullptr) {
    result.on_step = [call = read.on_step, user_data](const StepEvent& event) {
      const vidrt_step_event c_event = {sizeof c_event, event.step, event.num_inference_steps, event.timestep};
      stop_if_asked(call(user_data, &c_event), "on_step");
    };
  }
  if (read.on_frames != nullptr) {
    result.on_frames = [call = read.on_frames, user_data](const FramesEvent& event) {
      const vidrt_frames_event c_event = {sizeof c_event, event.rgb,   event.first_frame, event.num_frames,
                                          event.height,   event.width, event.rgb_float};
      stop_if_asked(call(user_data, &c_event), "on_frames");
    };
  }
  if (read.on_warning != nullptr) {
    result.on_warning = [call = read.on_warning, user_data](const std::string& message) {
      call(user_data, message.c_str());
    };
  }
  if (read.cancel != nullptr) result.cancel = &read.cancel->token;
  return result;
}

}  // namespace vidrt::c_api
