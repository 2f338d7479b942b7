/* A library as OwnLibrary opens them, of whatever version the build says. */
#define EXPORT __attribute__((visibility("default")))

EXPORT const char* vidrt_part_version(void) { return PART_VERSION; }
EXPORT int vidrt_part_double(int number) { return 2 * number; }
