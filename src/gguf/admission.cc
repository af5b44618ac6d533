#include "gguf/admission.h"

#include "gguf/identity.h"
#include "patch/stack.h"

namespace llmpatch {

Result<Admission> admit_base(const Manifest& manifest, const GgufFile& model,
                             const AdmissionRules& rules) {
  const BaseIdentity& recorded = manifest.base;
  LLMPATCH_ASSIGN(const IdentityMatch match, match_identity(recorded, model));
  const std::string title = patch_title(manifest);
  const std::string file = model.path().string();
  const auto mismatch = [](const std::string& message, const char* hint) {
    return make_error(ErrorKind::kMismatch, "patch", message, hint);
  };
  switch (match.verdict) {
    case IdentityVerdict::kExact:
      return Admission{};
    case IdentityVerdict::kSameFamily:
      return Admission{title + ": " + file +
                           " is another quantisation of its base; the card was measured on another "
                           "file",
                       false};
    case IdentityVerdict::kUnconfirmed:
      if (!rules.accept_base) {
        return mismatch(title + ": found " + file + ", which may or may not be its base model (" +
                            match.reason + ")",
                        "say --accept-base if you know that it is");
      }
      return Admission{title + ": " + file + " could not be confirmed as its base model (" +
                           match.reason + "); accepted by --accept-base",
                       false};
    case IdentityVerdict::kDifferent:
      break;
  }
  if (!rules.force) {
    const std::string made_for = recorded.name.empty() ? recorded.architecture : recorded.name;
    return mismatch(title + ": found " + file + ", expected its base model " + made_for + " (" +
                        match.reason + ")",
                    "run it on the model it was made for");
  }
  return Admission{title + " was made for another model than " + file + " (--force)", true};
}

}  // namespace llmpatch
