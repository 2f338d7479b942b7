// Marks what libvidrt exports. Every other symbol is hidden.
#pragma once

#if defined(_WIN32)
#define VIDRT_API __declspec(dllexport)
#else
#define VIDRT_API __attribute__((visibility("default")))
#endif
