#include "learn/processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace llmpatch {

bool computes_in_bf16() {
#if defined(__x86_64__)
  unsigned int a = 0, b = 0, c = 0, d = 0;
  // CPUID leaf 7: sub-leaf 1, EAX bit 5 is AVX512_BF16; sub-leaf 0, EDX bit 22 is AMX-BF16.
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 5)) != 0) return true;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & (1U << 22)) != 0;
#else
  return false;
#endif
}

}  // namespace llmpatch
