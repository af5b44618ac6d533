// Any bytes as the model.sig of a patch that is verified, with whatever certificates it brings
// along as the roots that are trusted: it must never hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "trust/bundle.h"
#include "trust/certificate.h"
#include "trust/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bundle = llmpatch::parse_bundle(text, "fuzz");
  if (!bundle.ok()) return 0;
  llmpatch::Trust trust;
  for (const std::string& der : bundle->certificates) {
    auto certificate = llmpatch::Certificate::from_der(der, "fuzz");
    if (certificate.ok()) trust.roots.push_back(*std::move(certificate));
  }
  const llmpatch::PatchFiles files{{llmpatch::kSignatureFile, std::string(text)}};
  // Nothing is signed here but what a seed signed, and never these files. The time is one at which
  // the seeds' certificates were valid.
  constexpr std::time_t kNow = 1795824000;
  if (llmpatch::verify_files(files, trust, "fuzz", kNow).ok()) std::abort();
  return 0;
}
