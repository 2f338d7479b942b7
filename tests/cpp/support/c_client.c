#include "support/c_client.h"

#include <string.h>

static int on_stage(void* user_data, const vidrt_stage_event* event) {
  c_client_log* log = (c_client_log*)user_data;
  log->event_size = event->struct_size;
  log->stages += event->done == 0;
  return 0;
}

static int on_step(void* user_data, const vidrt_step_event* event) {
  c_client_log* log = (c_client_log*)user_data;
  log->event_size = event->struct_size;
  log->steps += 1;
  return log->stop_after_steps != 0 && event->step + 1 >= log->stop_after_steps;
}

static int on_frames(void* user_data, const vidrt_frames_event* event) {
  c_client_log* log = (c_client_log*)user_data;
  log->event_size = event->struct_size;
  log->frames += event->rgb != NULL ? event->num_frames : 0;
  return 0;
}

static void on_warning(void* user_data, const char* message) {
  c_client_log* log = (c_client_log*)user_data;
  log->warnings += strlen(message) > 0;
}

vidrt_status c_client_options(const vidrt_pipeline* pipeline, const char* prompt, vidrt_generate_options* options) {
  vidrt_status status;
  options->struct_size = sizeof *options;
  status = vidrt_generate_options_init(pipeline, options);
  if (status != VIDRT_OK) return status;
  options->prompt = prompt;
  options->height = 8;
  options->width = 12;
  options->num_frames = 13;
  options->num_inference_steps = 4;
  options->guidance_scale = 3.0;
  options->random_seed = 0;
  options->seed = 7;
  return VIDRT_OK;
}

vidrt_status c_client_generate(vidrt_pipeline* pipeline, const char* prompt, c_client_log* log, vidrt_video** video) {
  vidrt_generate_options options;
  vidrt_callbacks callbacks;
  vidrt_status status = c_client_options(pipeline, prompt, &options);
  if (status != VIDRT_OK) return status;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.user_data = log;
  callbacks.on_stage = on_stage;
  callbacks.on_step = on_step;
  callbacks.on_frames = on_frames;
  callbacks.on_warning = on_warning;
  return vidrt_pipeline_generate(pipeline, &options, &callbacks, video);
}
