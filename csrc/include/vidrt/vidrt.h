/* The C interface of vidrt: text to video from a bundle. C99 and later, and C++.
 *
 *   vidrt_pipeline* pipeline = NULL;
 *   vidrt_video* video = NULL;
 *   vidrt_generate_options options;
 *   options.struct_size = sizeof options;
 *   if (vidrt_pipeline_open("models/pocket", NULL, &pipeline) == VIDRT_OK &&
 *       vidrt_generate_options_init(pipeline, &options) == VIDRT_OK) {
 *     options.prompt = "a small red circle moving left";
 *     if (vidrt_pipeline_generate(pipeline, &options, NULL, &video) == VIDRT_OK) { ... }
 *   }
 *   if (video == NULL) fprintf(stderr, "%s\n", vidrt_last_error());
 *   vidrt_video_free(video);
 *   vidrt_pipeline_free(pipeline);
 *
 * Rules
 * - Errors. A function that can fail returns a vidrt_status; what went wrong, in words, is vidrt_last_error() of the
 * same thread. No function throws, and results are written on VIDRT_OK only.
 * - Structs begin with their size, which the caller sets to sizeof before every call that takes the struct. That lets
 *   structs grow: fields that an older caller does not have take their defaults, or are not written. A struct larger
 * than the library's is taken when all that the library does not know is zero, else refused with
 * VIDRT_INVALID_ARGUMENT.
 * - Ownership. Handles given out through a pointer are the caller's, freed with their _free function; NULL is allowed
 *   there. Strings and arrays inside a result live as long as the handle that they came from; those given to a callback
 *   during the callback only. What is passed in is copied or used during the call only.
 * - Threads. Calls on one pipeline from several threads are taken one after another; other handles may be read from
 *   several threads at once. A handle must not be freed while a call uses it.
 * - Text is UTF-8.
 */
#ifndef VIDRT_VIDRT_H_
#define VIDRT_VIDRT_H_

#include <stddef.h>
#include <stdint.h>

#include "vidrt/api.h"

#ifdef __cplusplus
#define VIDRT_NOEXCEPT noexcept
extern "C" {
#else
#define VIDRT_NOEXCEPT
#endif

/* ---- Version and errors ---- */

/* "major.minor.patch" of the library that the program runs with. Lives as long as the library is loaded. */
VIDRT_API const char* vidrt_version(void) VIDRT_NOEXCEPT;

typedef enum vidrt_status {
  VIDRT_OK = 0,
  VIDRT_INVALID_ARGUMENT = 1, /* the caller's fault; nothing was started */
  VIDRT_BUNDLE_ERROR = 2,     /* the bundle is missing, damaged, hostile or of an unknown schema */
  VIDRT_BACKEND_ERROR = 3,    /* a backend is missing, cannot be loaded, or failed while it ran */
  VIDRT_OUT_OF_MEMORY = 4,    /* over the memory budget, or the system refused the memory */
  VIDRT_IO_ERROR = 5,         /* a file could not be read or written */
  VIDRT_CANCELLED = 6,        /* by a cancel token or by what a callback returned; the pipeline stays usable */
  VIDRT_INTERNAL_ERROR = 7    /* a fault of vidrt itself: please report it */
} vidrt_status;

/* "VIDRT_OK", ...; "unknown" for a value that is none of them. Static. */
VIDRT_API const char* vidrt_status_name(vidrt_status status) VIDRT_NOEXCEPT;

/* What the last call of this thread that failed had to say; "" when none has. Lives until the next call of this thread
 * that fails. */
VIDRT_API const char* vidrt_last_error(void) VIDRT_NOEXCEPT;

/* ---- Pipelines ---- */

typedef struct vidrt_pipeline vidrt_pipeline;

/* Zero everywhere but struct_size means all defaults. */
typedef struct vidrt_pipeline_options {
  size_t struct_size;
  const char* backend;    /* auto | onnxruntime | onnxruntime-cuda | tensorrt | tensorrt-rtx; NULL = auto */
  const char* device;     /* cpu | cuda:N; NULL = what the backend runs on: cpu, or cuda:0 */
  const char* variant;    /* variant id to insist on where a module has it; NULL = the first that can run */
  uint64_t memory_budget; /* bytes that a plan may take; 0 = no limit */
  int32_t threads;        /* compute threads; 0 = one per physical core */
  int32_t no_cuda_graphs; /* TensorRT: 1 = queue every run anew instead of replaying those that repeat */
  uint64_t embeds_cache;  /* bytes of prompt embeddings kept in the user's cache folder (docs/memory.md); 0 = none */
  int32_t profile_layers; /* 1 = time every layer of every run, for vidrt_pipeline_take_layer_profile; slower */
} vidrt_pipeline_options;

/* Check a bundle and choose backend and variants; modules are loaded when first needed. options may be NULL. */
VIDRT_API vidrt_status vidrt_pipeline_open(const char* bundle_path, const vidrt_pipeline_options* options,
                                           vidrt_pipeline** pipeline) VIDRT_NOEXCEPT;
VIDRT_API void vidrt_pipeline_free(vidrt_pipeline* pipeline) VIDRT_NOEXCEPT;

/* The backend in use with its version: "onnxruntime 1.32.0". Lives as long as the pipeline; "" for NULL. */
VIDRT_API const char* vidrt_pipeline_backend(const vidrt_pipeline* pipeline) VIDRT_NOEXCEPT;

/* ---- Prompt embeddings: made on one machine, used on another ---- */

typedef struct vidrt_prompt_embeds vidrt_prompt_embeds;

typedef struct vidrt_prompt_embeds_info {
  size_t struct_size;
  const char* prompt;     /* what was encoded */
  const char* encoder_id; /* SHA-256 over the text encoder and the tokenizer, hexadecimal */
  int64_t length;         /* L, rows */
  int64_t dim;            /* D, columns */
  const float* values;    /* (L, D) row-major */
  const int64_t* mask;    /* (L), 1 for a token, 0 for padding */
} vidrt_prompt_embeds_info;

VIDRT_API vidrt_status vidrt_prompt_embeds_load(const char* path, vidrt_prompt_embeds** embeds) VIDRT_NOEXCEPT;
/* Writes a safetensors file, under a temporary name first. */
VIDRT_API vidrt_status vidrt_prompt_embeds_save(const vidrt_prompt_embeds* embeds, const char* path) VIDRT_NOEXCEPT;
VIDRT_API vidrt_status vidrt_prompt_embeds_get_info(const vidrt_prompt_embeds* embeds,
                                                    vidrt_prompt_embeds_info* info) VIDRT_NOEXCEPT;
VIDRT_API void vidrt_prompt_embeds_free(vidrt_prompt_embeds* embeds) VIDRT_NOEXCEPT;

/* ---- Cancelling ---- */

typedef struct vidrt_cancel_token vidrt_cancel_token;

VIDRT_API vidrt_status vidrt_cancel_token_new(vidrt_cancel_token** token) VIDRT_NOEXCEPT;
/* From any thread or signal handler; looked at between steps and between decoded chunks. NULL does nothing. */
VIDRT_API void vidrt_cancel_token_cancel(vidrt_cancel_token* token) VIDRT_NOEXCEPT;
VIDRT_API void vidrt_cancel_token_reset(vidrt_cancel_token* token) VIDRT_NOEXCEPT;
VIDRT_API void vidrt_cancel_token_free(vidrt_cancel_token* token) VIDRT_NOEXCEPT;

/* ---- Callbacks ---- */

typedef enum vidrt_stage {
  VIDRT_STAGE_LOAD = 0,
  VIDRT_STAGE_ENCODE = 1,
  VIDRT_STAGE_DENOISE = 2,
  VIDRT_STAGE_DECODE = 3,
  VIDRT_STAGE_ENCODE_IMAGE = 4 /* after ENCODE, which is that of prompts; only with an image or a clip */
} vidrt_stage;

/* Progress: `done` of `total` units of the stage (modules, prompts, steps, frames, images). done = 0 announces the
 * stage. */
typedef struct vidrt_stage_event {
  size_t struct_size;
  vidrt_stage stage;
  int32_t done;
  int32_t total;
} vidrt_stage_event;

/* A finished denoising step. */
typedef struct vidrt_step_event {
  size_t struct_size;
  int32_t step; /* from 0 */
  int32_t num_inference_steps;
  double timestep; /* the one just used, in the units of training */
} vidrt_step_event;

/* Finished frames, (num_frames, height, width, 3): rgb, 8 bits each, of the output type uint8, rgb_float in [0,1] of
 * float32; the other is NULL. */
typedef struct vidrt_frames_event {
  size_t struct_size;
  const uint8_t* rgb;
  int32_t first_frame; /* index in the clip */
  int32_t num_frames;
  int32_t height;
  int32_t width;
  const float* rgb_float;
} vidrt_frames_event;

/* Called on the thread that called generate. Any may be NULL. A non-zero return cancels, at once: the call that is
 * running returns VIDRT_CANCELLED. */
typedef struct vidrt_callbacks {
  size_t struct_size;
  void* user_data; /* handed to each callback */
  int (*on_stage)(void* user_data, const vidrt_stage_event* event);
  int (*on_step)(void* user_data, const vidrt_step_event* event);
  int (*on_frames)(void* user_data, const vidrt_frames_event* event);
  void (*on_warning)(void* user_data, const char* message);
  const vidrt_cancel_token* cancel;
} vidrt_callbacks;

/* ---- Generating ---- */

/* Decoding frames in tiles that overlap and are blended (docs/vae_tiling.md). Zero everywhere means all defaults. Sizes
 * are pixels, multiples of the bundle's spatial ratio. */
typedef struct vidrt_vae_tiling {
  const char* mode; /* on | off | auto: where whole frames do not fit the memory that the plan has; NULL = auto */
  int32_t tile_sample_min_height;    /* of a tile; 0 = 256, or the nearest below that the bundle takes */
  int32_t tile_sample_min_width;     /* likewise */
  int32_t tile_sample_stride_height; /* from a tile to the next, at most; 0 = three quarters of the tile */
  int32_t tile_sample_stride_width;  /* likewise */
} vidrt_vae_tiling;

/* Filled in by vidrt_generate_options_init; change what you like, prompt at least. */
typedef struct vidrt_generate_options {
  size_t struct_size;
  const char* prompt;          /* NULL only with prompt_embeds */
  const char* negative_prompt; /* NULL = the bundle's, or none with negative_prompt_embeds */
  int32_t height;              /* pixels */
  int32_t width;               /* pixels */
  int32_t num_frames;
  int32_t num_inference_steps;
  double guidance_scale;
  double fps;             /* written to the video's information only */
  uint64_t seed;          /* used where random_seed is 0 */
  int32_t random_seed;    /* 1 = draw a seed and record it in the video's information; what init sets */
  int32_t truncate;       /* 1 = cut an overlong prompt instead of refusing it */
  int32_t decode_chunk;   /* latent frames a decode call takes; 0 = chosen by the plan */
  int32_t discard_frames; /* 1 = frames go to on_frames only; memory stays flat with their number */
  const char* scheduler;  /* one of docs/schedulers.md; NULL = the bundle's */
  const vidrt_prompt_embeds* prompt_embeds;
  const vidrt_prompt_embeds* negative_prompt_embeds;
  const float* latents; /* initial noise instead of a seed's (random_seed stays 1), at sigma 1; NULL = from the seed */
  int64_t latents_shape[4]; /* of latents: C, T, h, w */
  const uint8_t* image;     /* RGB that the video begins with, (image_height, image_width, 3); NULL = none */
  int32_t image_height;     /* those of image, which must be height and width: nothing is resized */
  int32_t image_width;
  double step_cache; /* change of a prediction up to which it is used again, in parts of it; 0 = never */
  vidrt_vae_tiling vae_tiling;
  const char* output_type;  /* uint8 | float32: the same frames, not rounded, in [0,1] (docs/frames.md); NULL = uint8 */
  const uint8_t* video;     /* RGB that the video starts from, (video_num_frames, video_height, video_width, 3); NULL =
                               none (docs/video_to_video.md) */
  int32_t video_num_frames; /* those of video, which must be num_frames, height and width */
  int32_t video_height;
  int32_t video_width;
  double strength; /* with video: the part of the steps that is run, from 0 to 1; init sets 0.6 */
} vidrt_generate_options;

/* Set every field but struct_size to the bundle's defaults. */
VIDRT_API vidrt_status vidrt_generate_options_init(const vidrt_pipeline* pipeline,
                                                   vidrt_generate_options* options) VIDRT_NOEXCEPT;

/* What a generation will do and need. The strings are static. */
typedef struct vidrt_plan {
  size_t struct_size;
  int32_t height;
  int32_t width;
  int32_t num_frames;
  int32_t latent_frames;
  int32_t latent_height;
  int32_t latent_width;
  int32_t num_inference_steps;
  int32_t decode_chunk;           /* latent frames a decode call takes */
  const char* guidance;           /* "batched" | "sequential" | "off" */
  const char* residency;          /* "all" | "stage_by_stage" | "stream" */
  const char* image_conditioning; /* "none" | "first_latent_frame" */
  uint64_t arena_bytes;           /* tensors, sharing memory by lifetime */
  uint64_t unshared_bytes;        /* the same tensors without sharing */
  uint64_t weight_bytes;          /* the most that is loaded together */
  int32_t tile_rows;              /* tiles of a frame, one above the other, and side by side; 1 and 1: whole frames */
  int32_t tile_columns;
  int32_t tile_height; /* pixels of every tile */
  int32_t tile_width;
  int32_t tile_overlap_height; /* pixels that neighbours have in common at least; 0 where there is but one */
  int32_t tile_overlap_width;
  int32_t activations_known; /* 1: measured on this machine (docs/memory.md), or in the arena; 0: the next two are 0 */
  uint64_t packed_bytes;     /* what backends hold besides the weights: these repacked */
  uint64_t activation_bytes; /* the backends' own memory in a run */
  uint64_t total_bytes;      /* the most of a stage, of which these are the parts: what memory_budget limits */
  double strength;           /* where the video starts from a clip, of which num_inference_steps are the part; else 0 */
} vidrt_plan;

/* Loads and runs nothing; fails as vidrt_pipeline_generate does for options that it cannot do. */
VIDRT_API vidrt_status vidrt_pipeline_plan(const vidrt_pipeline* pipeline, const vidrt_generate_options* options,
                                           vidrt_plan* plan) VIDRT_NOEXCEPT;

typedef struct vidrt_video vidrt_video;

/* callbacks may be NULL. */
VIDRT_API vidrt_status vidrt_pipeline_generate(vidrt_pipeline* pipeline, const vidrt_generate_options* options,
                                               const vidrt_callbacks* callbacks, vidrt_video** video) VIDRT_NOEXCEPT;

/* What to decode. Zero everywhere but struct_size and the latents means all defaults. */
typedef struct vidrt_decode_options {
  size_t struct_size;
  const float* latents;     /* in the space of the denoiser */
  int64_t latents_shape[4]; /* C, T, h, w */
  double fps;               /* written to the video's information only; 0 = the bundle's */
  int32_t decode_chunk;     /* latent frames a decode call takes; 0 = chosen by the plan */
  int32_t discard_frames;   /* 1 = frames go to on_frames only */
  vidrt_vae_tiling vae_tiling;
  const char* output_type; /* uint8 | float32, as in vidrt_generate_options; NULL = uint8 */
} vidrt_decode_options;

/* What decoding will do and need. Loads and runs nothing. */
VIDRT_API vidrt_status vidrt_pipeline_plan_decode(const vidrt_pipeline* pipeline, const vidrt_decode_options* options,
                                                  vidrt_plan* plan) VIDRT_NOEXCEPT;

/* Turn latents into a video with the decoder alone, which is all that some bundles have. callbacks may be NULL. */
VIDRT_API vidrt_status vidrt_pipeline_decode_latents(vidrt_pipeline* pipeline, const vidrt_decode_options* options,
                                                     const vidrt_callbacks* callbacks,
                                                     vidrt_video** video) VIDRT_NOEXCEPT;

/* truncate = 1 cuts an overlong prompt instead of refusing it; callbacks may be NULL. */
VIDRT_API vidrt_status vidrt_pipeline_encode_prompt(vidrt_pipeline* pipeline, const char* prompt, int32_t truncate,
                                                    const vidrt_callbacks* callbacks,
                                                    vidrt_prompt_embeds** embeds) VIDRT_NOEXCEPT;

/* ---- What layers take (docs/benchmarks.md) ---- */

typedef struct vidrt_layer_profile vidrt_layer_profile;

/* One layer of one module, as the backend runs it: optimised graphs have others than the bundle's. */
typedef struct vidrt_layer_time {
  size_t struct_size;
  const char* module;
  const char* name;
  const char* type;    /* the operator; "" where the backend does not say (TensorRT) */
  double median_ms;    /* over the runs that had it */
  double share;        /* of the medians of all layers of the module */
  double run_ms;       /* median of the module's whole runs */
  int32_t runs;        /* of the module, that were timed */
  int32_t missed_runs; /* of the module, that the backend kept no times of */
} vidrt_layer_time;

/* What the layers took since the pipeline was opened with profile_layers, or since the last call of this. Unloads all
 * modules; the next generation loads them again. */
VIDRT_API vidrt_status vidrt_pipeline_take_layer_profile(vidrt_pipeline* pipeline,
                                                         vidrt_layer_profile** profile) VIDRT_NOEXCEPT;
/* Layers of all modules together; 0 for NULL. */
VIDRT_API int32_t vidrt_layer_profile_count(const vidrt_layer_profile* profile) VIDRT_NOEXCEPT;
/* Layer `index`: modules by name, of each the slowest layer first. */
VIDRT_API vidrt_status vidrt_layer_profile_get(const vidrt_layer_profile* profile, int32_t index,
                                               vidrt_layer_time* layer) VIDRT_NOEXCEPT;
VIDRT_API void vidrt_layer_profile_free(vidrt_layer_profile* profile) VIDRT_NOEXCEPT;

/* ---- Videos ---- */

/* The frames and what made them. */
typedef struct vidrt_video_info {
  size_t struct_size;
  const uint8_t* rgb; /* (num_frames, height, width, 3), 8 bits each; NULL for float32, or frames discarded */
  size_t rgb_bytes;
  int32_t num_frames;
  int32_t height;
  int32_t width;
  int32_t num_inference_steps;
  double fps;
  double guidance_scale;
  uint64_t seed;
  uint64_t arena_bytes;
  const char* bundle;  /* the manifest's name */
  const char* backend; /* with its version */
  const char* device;
  const char* prompt;
  const char* negative_prompt;
  const char* scheduler;
  const char* guidance;     /* "batched" | "sequential" | "off" */
  const char* residency;    /* "all" | "stage_by_stage" | "stream" */
  const char* image_sha256; /* of the image's bytes; "" where none was given */
  int32_t decode_chunk;
  int32_t num_warnings;      /* see vidrt_video_warning */
  int32_t num_skipped_steps; /* steps that used the prediction of an earlier one, by step_cache */
  double load_ms, encode_ms, encode_image_ms, denoise_ms, decode_ms;
  double first_frame_ms; /* from the call to the first on_frames */
  double last_step_to_first_frame_ms;
  double total_ms;
  double session_ms; /* the part spent inside backend sessions */
  int32_t tile_rows; /* as in vidrt_plan */
  int32_t tile_columns;
  int32_t tile_height;
  int32_t tile_width;
  int32_t tile_overlap_height;
  int32_t tile_overlap_width;
  const float* rgb_float;   /* (num_frames, height, width, 3) in [0,1]; NULL for uint8, or frames discarded */
  const char* video_sha256; /* of the bytes of the clip that the video started from; "" where none was given */
  double strength;          /* likewise; 0 where none was given */
} vidrt_video_info;

VIDRT_API vidrt_status vidrt_video_get_info(const vidrt_video* video, vidrt_video_info* info) VIDRT_NOEXCEPT;
/* Frame `index`, (height, width, 3), of a video of the output type uint8, or of float32. NULL when there is no such
 * frame, frames were discarded or are of the other type; vidrt_last_error() says which. */
VIDRT_API const uint8_t* vidrt_video_frame(const vidrt_video* video, int32_t index) VIDRT_NOEXCEPT;
VIDRT_API const float* vidrt_video_frame_float(const vidrt_video* video, int32_t index) VIDRT_NOEXCEPT;
/* Warning `index`; NULL when there is no such warning. */
VIDRT_API const char* vidrt_video_warning(const vidrt_video* video, int32_t index) VIDRT_NOEXCEPT;
VIDRT_API void vidrt_video_free(vidrt_video* video) VIDRT_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* VIDRT_VIDRT_H_ */
