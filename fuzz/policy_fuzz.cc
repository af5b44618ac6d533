// Any bytes as a trust policy: one that is wrong is always "could not check", and one that is
// accepted lets the signers it names sign what it says, and nobody else anything.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "trust/trust.h"

namespace {

// A name that the pattern has to match: `run` for every *.
std::string name_of(const std::string& pattern, const std::string& run) {
  std::string name;
  for (const char c : pattern) name += c == '*' ? run : std::string(1, c);
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Where the seeds' keys are, when it runs in the root of the source tree.
  const auto trust = llmpatch::parse_trust_policy(text, "testdata/vectors", "fuzz");
  if (!trust.ok()) {
    if (trust.error().kind != llmpatch::ErrorKind::kUnverifiable) std::abort();
    return 0;
  }
  if (!trust->rules || trust->rules->empty()) std::abort();
  for (const llmpatch::TrustRule& rule : *trust->rules) {
    if (rule.patches.empty() || rule.signers.empty()) std::abort();
    for (const char* run : {"", "a", "-b.c_", "aaaaaaaaaaaaaaaa"}) {
      const std::string name = name_of(rule.patches.front(), run);
      if (!llmpatch::check_rules(*trust, {rule.signers.front(), "", ""}, name).ok()) std::abort();
      if (llmpatch::check_rules(*trust, {"nobody", "", ""}, name).ok()) std::abort();
    }
  }
  return 0;
}
