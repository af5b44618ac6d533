#include "learn/processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace llmpatch {
namespace {

// CPUID leaf 7; all zero where there is none.
struct Features {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  explicit Features([[maybe_unused]] unsigned int sub_leaf) {
#if defined(__x86_64__)
    if (__get_cpuid_count(7, sub_leaf, &a, &b, &c, &d) == 0) a = b = c = d = 0;
#endif
  }
};

}  // namespace

bool has_avx512_bf16() { return (Features(1).a & (1U << 5)) != 0; }
bool has_avx512_vnni() { return (Features(0).c & (1U << 11)) != 0; }
bool has_amx_bf16() { return (Features(0).d & (1U << 22)) != 0; }

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
