// Any bytes as model.sig: a bundle that is accepted must be written and read again. What it carries
// goes on to the readers behind it, which otherwise see it only once a signature holds: the
// statement, the certificates, and the verification of a patch that has this signature.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "trust/bundle.h"
#include "trust/certificate.h"
#include "trust/statement.h"
#include "trust/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bundle = llmpatch::parse_bundle(text, "fuzz");
  if (!bundle.ok()) {
    (void)llmpatch::parse_statement(text, "fuzz").ok();
    return 0;
  }
  const auto again = llmpatch::parse_bundle(llmpatch::bundle_to_json(*bundle), "fuzz");
  if (!again.ok() || !(*again == *bundle)) std::abort();

  const auto statement = llmpatch::parse_statement(bundle->payload, "fuzz");
  if (statement.ok()) {
    const std::string written = llmpatch::statement_to_json(statement->subject, statement->files);
    const auto reread = llmpatch::parse_statement(written, "fuzz");
    if (!reread.ok() || !(*reread == *statement)) std::abort();
  }
  llmpatch::Trust trust;
  for (const std::string& der : bundle->certificates) {
    auto certificate = llmpatch::Certificate::from_der(der, "fuzz");
    if (!certificate.ok()) continue;
    (void)certificate->subject();
    (void)certificate->public_key().ok();
    trust.roots.push_back(*std::move(certificate));
  }
  const llmpatch::PatchFiles files{{llmpatch::kSignatureFile, std::string(text)}};
  // Nothing is signed here but what a seed signed, and never these files. The time is one at which
  // the seeds' certificates were valid.
  constexpr std::time_t kNow = 1795824000;
  if (llmpatch::verify_files(files, trust, "fuzz", kNow).ok()) std::abort();
  return 0;
}
