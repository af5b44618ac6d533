# Strict warnings, and the sanitizers, for our own code alone: on a target that is never exported.
# GCC 12 sees null pointers in its own standard headers, so that one warning is never an error.
add_library(llmpatch_warnings INTERFACE)
target_compile_options(llmpatch_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wnull-dereference -Wformat=2
  $<$<BOOL:${LLMPATCH_WERROR}>:-Werror> $<$<BOOL:${LLMPATCH_WERROR}>:-Wno-error=null-dereference>)
if(LLMPATCH_SANITIZE)
  target_compile_options(llmpatch_warnings INTERFACE
    -fsanitize=${LLMPATCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(llmpatch_warnings INTERFACE -fsanitize=${LLMPATCH_SANITIZE})
endif()
if(LLMPATCH_FUZZ)
  # Coverage for libFuzzer in every room; the fuzz targets alone link its main.
  target_compile_options(llmpatch_warnings INTERFACE -fsanitize=fuzzer-no-link)
endif()
