// What waits in a channel's folder for signatures of more than one machine.
#include <algorithm>

#include "base/file.h"
#include "distribution/channel_maker.h"
#include "patch/expiry.h"
#include "trust/strict_json.h"
#include "trust/tuf_make.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

std::string pending_name(TufRole role) {
  return std::string("next.") + tuf_role_name(role) + ".json";
}

// The body that this program would write of what it reads in `envelope`.
Result<Json> read_body(const TufEnvelope& envelope, const std::string& name) {
  if (envelope.role == TufRole::kRoot) {
    LLMPATCH_ASSIGN(const TufRoot root, parse_tuf_root(envelope, name));
    return tuf_body(root);
  }
  LLMPATCH_ASSIGN(const TufTargets targets, parse_tuf_targets(envelope, name));
  LLMPATCH_TRY(check_channel_draft(targets));
  return tuf_body(targets);
}

std::vector<std::string> advice_after(const TufRoot* before, const TufRoot& root,
                                      const std::string& name) {
  if (before == nullptr) {
    return {"give " + name + " to operators by a way of its own: it is what they pin",
            "next: llmpatch channel add and publish"};
  }
  const auto differs = [&](TufRole role) { return before->roles.at(role) != root.roles.at(role); };
  if (differs(TufRole::kTargets) || differs(TufRole::kSnapshot)) {
    return {"next: llmpatch channel publish with the new keys; until then nobody can update"};
  }
  if (differs(TufRole::kTimestamp)) {
    return {"next: llmpatch channel refresh with the new key; until then nobody can update"};
  }
  return {};
}

}  // namespace

Status ChannelFolder::check_fresh(const TufEnvelope& pending) const {
  if (pending.expires > utc_text(now_)) return {};
  return make_error(ErrorKind::kDenied, "channel",
                    pending_name(pending.role) + ": found that it expired at " + pending.expires +
                        " while it waited for signatures",
                    "remove the file and begin anew with --collect");
}

void ChannelFolder::forget(const std::string& name) const {
  std::error_code code;
  fs::remove(folder_ / name, code);
}

Result<std::optional<TufEnvelope>> ChannelFolder::pending(TufRole role) const {
  const std::string name = pending_name(role);
  std::error_code code;
  if (!fs::exists(folder_ / name, code)) return std::optional<TufEnvelope>();
  LLMPATCH_ASSIGN(const std::string text, read(name, role));
  LLMPATCH_ASSIGN(TufEnvelope envelope, parse_tuf_envelope(text, role, name));
  // What is shown of it is then all there is to it.
  LLMPATCH_ASSIGN(const Json body, read_body(envelope, name));
  if (body != envelope.body) {
    return untrusted(name, "found members that llmpatch does not write, expected none");
  }
  return std::optional(std::move(envelope));
}

Result<ChannelStep> ChannelFolder::put_pending(TufRole role, const std::string& text,
                                               const std::vector<const TufRoot*>& roots) const {
  const std::string name = pending_name(role);
  LLMPATCH_ASSIGN(const TufEnvelope envelope, parse_tuf_envelope(text, role, name));
  LLMPATCH_TRY(write(name, text));
  ChannelStep step{{name}, {}};
  bool is_signed = true;
  for (const TufRoot* root : roots) {
    const auto signers = static_cast<std::int64_t>(count_tuf_signers(envelope, *root, role));
    const std::int64_t threshold = root->roles.at(role).threshold;
    is_signed = is_signed && signers >= threshold;
    step.advice.push_back(name + ": signed by " + std::to_string(signers) + " of the " +
                          std::to_string(threshold) + " keys that root " +
                          std::to_string(root->version) + " asks for");
  }
  step.advice.push_back(is_signed ? "next: llmpatch channel publish"
                                  : "next: llmpatch channel sign, where the other keys are");
  return step;
}

Result<ChannelStep> ChannelFolder::put_root(const TufRoot& root, const TufRoot* before,
                                            const std::string& text, Collect collect) const {
  std::error_code code;
  if (fs::exists(folder_ / pending_name(TufRole::kRoot), code)) {
    return make_error(ErrorKind::kExists, "channel",
                      pending_name(TufRole::kRoot) + ": found a root that waits for signatures",
                      "llmpatch channel sign completes it; or remove the file");
  }
  std::vector<const TufRoot*> roots = {&root};
  if (before != nullptr) roots.insert(roots.begin(), before);
  if (collect == Collect::kYes && !check_tuf_signed(text, TufRole::kRoot, roots).ok()) {
    return put_pending(TufRole::kRoot, text, roots);
  }
  const std::string name = tuf_file_name(TufRole::kRoot, root.version);
  LLMPATCH_TRY(write_file_atomic(folder_ / name, text, Overwrite::kNo));
  return ChannelStep{{name}, advice_after(before, root, name)};
}

Result<ChannelStep> ChannelFolder::sign(const TufEnvelope& shown,
                                        const std::vector<PrivateKey>& signers) const {
  const TufRole role = shown.role;
  const std::string name = pending_name(role);
  LLMPATCH_TRY(check_fresh(shown));
  std::error_code code;
  std::vector<TufRoot> chain;  // none before the first root is signed
  if (role != TufRole::kRoot || fs::exists(folder_ / tuf_file_name(TufRole::kRoot, 1), code)) {
    LLMPATCH_ASSIGN(chain, roots());
  }
  std::int64_t newest = chain.empty() ? 0 : chain.back().version;
  if (role == TufRole::kRoot) {
    LLMPATCH_ASSIGN(TufRoot next, parse_tuf_root(shown, name));
    chain.push_back(std::move(next));
  } else {
    LLMPATCH_ASSIGN(const TufTargets targets, published());
    newest = targets.version;
  }
  if (shown.version != newest + 1) {
    return make_error(ErrorKind::kExists, "channel",
                      name + ": found version " + std::to_string(shown.version) +
                          ", expected version " + std::to_string(newest + 1),
                      "something else was signed meanwhile: remove the file");
  }
  const TufRoot* before = role == TufRole::kRoot && newest > 0 ? &chain[chain.size() - 2] : nullptr;
  std::vector<const TufRoot*> roots = {&chain.back()};
  if (before != nullptr) roots.insert(roots.begin(), before);
  const bool speaks = std::any_of(signers.begin(), signers.end(), [&](const PrivateKey& key) {
    return may_sign_tuf(key.public_key(), role, roots);
  });
  if (!speaks) {
    return make_error(
        ErrorKind::kInvalidArgument, "channel",
        name + ": found none of the private keys that speak for the role " + tuf_role_name(role));
  }
  LLMPATCH_ASSIGN(const std::string text,
                  sign_tuf_in_part(shown.body, role, shown.signatures, signers, roots));
  if (role != TufRole::kRoot || !check_tuf_signed(text, role, roots).ok()) {
    return put_pending(role, text, roots);
  }
  const std::string file = tuf_file_name(role, shown.version);
  LLMPATCH_TRY(write_file_atomic(folder_ / file, text, Overwrite::kNo));
  forget(name);
  return ChannelStep{{file}, advice_after(before, chain.back(), file)};
}

}  // namespace llmpatch
