#include "learn/processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace llmpatch {
namespace {

#if defined(__x86_64__)
// CPUID leaf 7.
struct Features {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  explicit Features(unsigned int sub_leaf) {
    if (__get_cpuid_count(7, sub_leaf, &a, &b, &c, &d) == 0) a = b = c = d = 0;
  }
};
#endif

}  // namespace

bool has_avx512_bf16() {
#if defined(__x86_64__)
  return (Features(1).a & (1U << 5)) != 0;
#else
  return false;
#endif
}

bool has_avx512_vnni() {
#if defined(__x86_64__)
  return (Features(0).c & (1U << 11)) != 0;
#else
  return false;
#endif
}

bool has_amx_bf16() {
#if defined(__x86_64__)
  return (Features(0).d & (1U << 22)) != 0;
#else
  return false;
#endif
}

bool is_intel() {
#if defined(__x86_64__)
  unsigned int leaves = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0, &leaves, &b, &c, &d) != 0 && b == signature_INTEL_ebx &&
         c == signature_INTEL_ecx && d == signature_INTEL_edx;
#else
  return false;
#endif
}

}  // namespace llmpatch
