/* A client of the C interface that is itself C: what it does must compile and work without a C++ compiler's help. */
#ifndef VIDRT_TESTS_C_CLIENT_H_
#define VIDRT_TESTS_C_CLIENT_H_

#include "vidrt/vidrt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one generation told its callbacks. */
typedef struct c_client_log {
  int stages;
  int steps;
  int frames;
  int warnings;
  int stop_after_steps; /* return non-zero from on_step after so many; 0 = never */
  size_t event_size;    /* struct_size of the last event */
} c_client_log;

/* Options of `prompt` at a fixed small size and seed. */
vidrt_status c_client_options(const vidrt_pipeline* pipeline, const char* prompt, vidrt_generate_options* options);

/* Generate with all callbacks set. */
vidrt_status c_client_generate(vidrt_pipeline* pipeline, const char* prompt, c_client_log* log, vidrt_video** video);

#ifdef __cplusplus
}
#endif

#endif /* VIDRT_TESTS_C_CLIENT_H_ */
