// Marks what the shared library exports; everything else in it is hidden.
#pragma once

#if defined(__GNUC__)
#define LLMPATCH_EXPORT __attribute__((visibility("default")))
#else
#define LLMPATCH_EXPORT
#endif
