# Strict warnings, and the sanitizers, for our own code alone: on a target that is never exported.
# GCC 12 sees null pointers and overruns in its own standard headers: these warnings are no errors.
set(false_warnings -Wno-error=null-dereference -Wno-error=array-bounds -Wno-error=stringop-overflow
  -Wno-error=free-nonheap-object)
add_library(llmpatch_warnings INTERFACE)
target_compile_options(llmpatch_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wnull-dereference -Wformat=2
  "$<$<BOOL:${LLMPATCH_WERROR}>:-Werror;${false_warnings}>")
if(LLMPATCH_SANITIZE)
  target_compile_options(llmpatch_warnings INTERFACE
    -fsanitize=${LLMPATCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(llmpatch_warnings INTERFACE -fsanitize=${LLMPATCH_SANITIZE})
endif()
if(LLMPATCH_FUZZ)
  # Coverage for libFuzzer in every room; the fuzz targets alone link its main.
  target_compile_options(llmpatch_warnings INTERFACE -fsanitize=fuzzer-no-link)
endif()
