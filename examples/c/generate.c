/* Text to video in C: one prompt in, one uncompressed .y4m out, which every player and encoder reads, or the bare
 * pixels.
 *
 *   example_c_generate models/pocket "a small red circle moving left" circle.y4m
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vidrt/vidrt.h"

static const char* const kHelp =
    "usage: example_c_generate BUNDLE PROMPT OUTPUT [SEED]\n"
    "\n"
    "  BUNDLE      a vidrt bundle folder, such as models/pocket\n"
    "  PROMPT      what the video shall show\n"
    "  OUTPUT      the video to write: NAME.y4m (YUV4MPEG2, 4:4:4), or NAME.rgb (8-bit RGB, frame after frame)\n"
    "  SEED        a number; the same seed gives the same video (default: 7)\n"
    "\n"
    "Ctrl-C cancels.\n";

static vidrt_cancel_token* g_cancel = NULL;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  vidrt_cancel_token_cancel(g_cancel);
}

static int on_step(void* user_data, const vidrt_step_event* event) {
  (void)user_data;
  fprintf(stderr, "\rstep %d of %d", (int)event->step + 1, (int)event->num_inference_steps);
  return 0;
}

static int on_frames(void* user_data, const vidrt_frames_event* event) {
  (void)user_data;
  fprintf(stderr, "\r%d frames decoded", (int)(event->first_frame + event->num_frames));
  return 0;
}

static void on_warning(void* user_data, const char* message) {
  (void)user_data;
  fprintf(stderr, "warning: %s\n", message);
}

static unsigned char clamp_to_byte(double value) {
  return (unsigned char)(value < 0.0 ? 0 : value > 255.0 ? 255 : (int)(value + 0.5));
}

/* BT.601, limited range: what readers of YUV4MPEG2 assume. Three planes, one after another. */
static void rgb_to_planes(const uint8_t* rgb, size_t pixels, unsigned char* planes) {
  size_t i;
  for (i = 0; i < pixels; ++i) {
    const double r = rgb[i * 3], g = rgb[i * 3 + 1], b = rgb[i * 3 + 2];
    planes[i] = clamp_to_byte(16.0 + 0.256788 * r + 0.504129 * g + 0.097906 * b);
    planes[pixels + i] = clamp_to_byte(128.0 - 0.148223 * r - 0.290993 * g + 0.439216 * b);
    planes[2 * pixels + i] = clamp_to_byte(128.0 + 0.439216 * r - 0.367788 * g - 0.071427 * b);
  }
}

static int has_suffix(const char* path, const char* suffix) {
  const size_t length = strlen(path), tail = strlen(suffix);
  return length >= tail && strcmp(path + length - tail, suffix) == 0;
}

static int write_rgb(FILE* file, const vidrt_video_info* info) {
  const size_t bytes = (size_t)info->num_frames * (size_t)info->width * (size_t)info->height * 3;
  return fwrite(info->rgb, 1, bytes, file) == bytes;
}

static int write_y4m(FILE* file, const vidrt_video_info* info) {
  const size_t pixels = (size_t)info->width * (size_t)info->height;
  unsigned char* planes = malloc(3 * pixels);
  int frame = 0;
  int ok = planes != NULL && fprintf(file, "YUV4MPEG2 W%d H%d F%.0f:1000 Ip A1:1 C444\n", (int)info->width,
                                     (int)info->height, info->fps * 1000.0) > 0;
  for (; ok && frame < info->num_frames; ++frame) {
    rgb_to_planes(info->rgb + (size_t)frame * pixels * 3, pixels, planes);
    ok = fputs("FRAME\n", file) >= 0 && fwrite(planes, 1, 3 * pixels, file) == 3 * pixels;
  }
  free(planes);
  return ok;
}

/* Under a temporary name first, so that the file is whole or not there. */
static int write_video(const char* path, const vidrt_video_info* info) {
  char* temporary = malloc(strlen(path) + sizeof ".tmp");
  FILE* file;
  int ok;
  if (temporary == NULL) return 0;
  strcat(strcpy(temporary, path), ".tmp");
  file = fopen(temporary, "wb");
  ok = file != NULL && (has_suffix(path, ".y4m") ? write_y4m(file, info) : write_rgb(file, info));
  if (file != NULL) ok = (fclose(file) == 0) && ok;
  ok = ok && rename(temporary, path) == 0;
  if (!ok) {
    fprintf(stderr, "error: cannot write %s: %s\n", path, strerror(errno));
    remove(temporary);
  }
  free(temporary);
  return ok;
}

static vidrt_status generate(vidrt_pipeline* pipeline, const char* prompt, uint64_t seed, vidrt_video** video) {
  vidrt_generate_options options;
  vidrt_callbacks callbacks;
  vidrt_status status;
  options.struct_size = sizeof options;
  status = vidrt_generate_options_init(pipeline, &options);
  if (status != VIDRT_OK) return status;
  options.prompt = prompt;
  options.random_seed = 0;
  options.seed = seed;

  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_step = on_step;
  callbacks.on_frames = on_frames;
  callbacks.on_warning = on_warning;
  callbacks.cancel = g_cancel;
  status = vidrt_pipeline_generate(pipeline, &options, &callbacks, video);
  fputc('\n', stderr);
  return status;
}

int main(int argc, char** argv) {
  vidrt_pipeline* pipeline = NULL;
  vidrt_video* video = NULL;
  vidrt_video_info info;
  uint64_t seed = 7;
  int done = 0;

  if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
    fputs(kHelp, stdout);
    return 0;
  }
  if (argc == 5) {
    char* end = NULL;
    errno = 0;
    seed = strtoull(argv[4], &end, 10);
    if (errno != 0 || end == argv[4] || *end != '\0' || argv[4][0] == '-') {
      fprintf(stderr, "error: SEED is '%s'; expected a number from 0 to 2^64 - 1.\n", argv[4]);
      return 2;
    }
  } else if (argc != 4) {
    fputs(kHelp, stderr);
    return 2;
  }

  if (!has_suffix(argv[3], ".y4m") && !has_suffix(argv[3], ".rgb")) {
    fprintf(stderr, "error: OUTPUT is '%s'; expected a name that ends in .y4m or .rgb.\n", argv[3]);
    return 2;
  }

  info.struct_size = sizeof info;
  if (vidrt_cancel_token_new(&g_cancel) == VIDRT_OK) {
    signal(SIGINT, on_interrupt);
    if (vidrt_pipeline_open(argv[1], NULL, &pipeline) == VIDRT_OK &&
        generate(pipeline, argv[2], seed, &video) == VIDRT_OK && vidrt_video_get_info(video, &info) == VIDRT_OK) {
      done = write_video(argv[3], &info);
    } else {
      fprintf(stderr, "error: %s\n", vidrt_last_error());
    }
    signal(SIGINT, SIG_DFL);
  } else {
    fprintf(stderr, "error: %s\n", vidrt_last_error());
  }
  if (done) {
    printf("%s: %d frames of %dx%d at %g fps, seed %llu, %.1f s on %s\n", argv[3], (int)info.num_frames,
           (int)info.width, (int)info.height, info.fps, (unsigned long long)info.seed, info.total_ms / 1000.0,
           info.backend);
  }
  vidrt_video_free(video);
  vidrt_pipeline_free(pipeline);
  vidrt_cancel_token_free(g_cancel);
  return done ? 0 : 1;
}
