// llmpatch channel init, add, revoke, publish, refresh, rotate: the maker's side.
#include "distribution/channel_maker.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "channel.h"
#include "distribution/reference.h"
#include "private_key.h"
#include "terminal.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path folder, passphrase_file;
  std::vector<fs::path> root, targets, snapshot, timestamp;  // public keys
  std::vector<fs::path> signers;                             // private ones
  std::vector<fs::path> patches;
  std::string reference;
  ChannelKeys keys;
  ChannelDays days;
  TrustOptions trust;
  bool collect = false;

  void declare_folder(CLI::App& app) {
    app.add_option("DIR", folder, "Folder of the channel")->required();
  }
  void declare_signers(CLI::App& app) {
    app.add_option("--key", signers, "Private key to sign with; repeatable")
        ->required()
        ->allow_extra_args(false);
    app.add_option("--passphrase-file", passphrase_file,
                   "Passphrase of encrypted keys, the first line of this file; without it, a "
                   "terminal asks");
  }
  void declare_keys(CLI::App& app) {
    const auto add = [&](const char* name, std::vector<fs::path>& paths, const char* help) {
      app.add_option(name, paths, help)->allow_extra_args(false);
    };
    add("--root", root, "Public key that may sign roots; repeatable");
    add("--targets", targets, "Public key that may sign what is offered; repeatable");
    add("--snapshot", snapshot, "Public key for snapshots; repeatable (default: those of targets)");
    add("--timestamp", timestamp, "Public key for timestamps, the one kept online; repeatable");
    app.add_option("--root-threshold", keys.root_threshold, "How many keys must sign a root")
        ->check(CLI::Range(1, 64));
    app.add_option("--targets-threshold", keys.targets_threshold, "How many must sign targets")
        ->check(CLI::Range(1, 64));
    app.add_option("--root-days", days.root, "How long the root holds")->capture_default_str();
  }
  void declare_targets_days(CLI::App& app) {
    app.add_option("--targets-days", days.targets, "How long targets and snapshot hold")
        ->capture_default_str();
  }
  void declare_collect_root(CLI::App& app) {
    app.add_flag("--collect", collect,
                 "Where more keys must sign than are given, write next.root.json for llmpatch "
                 "channel sign");
  }
  void declare_timestamp_days(CLI::App& app) {
    app.add_option("--timestamp-days", days.timestamp, "How long the timestamp holds")
        ->capture_default_str();
  }

  Collect collecting() const { return collect ? Collect::kYes : Collect::kNo; }
  Result<std::vector<PrivateKey>> read_signers() const {
    std::vector<PrivateKey> read;
    for (const fs::path& path : signers) {
      LLMPATCH_ASSIGN(PrivateKey key, read_private_key(path, passphrase_file));
      read.push_back(std::move(key));
    }
    return read;
  }
  Status read_keys() {
    const auto read = [](const std::vector<fs::path>& paths,
                         std::vector<PublicKey>& into) -> Status {
      for (const fs::path& path : paths) {
        LLMPATCH_ASSIGN(PublicKey key, PublicKey::read(path, ErrorKind::kCorrupt));
        into.push_back(std::move(key));
      }
      return {};
    };
    LLMPATCH_TRY(read(root, keys.root));
    LLMPATCH_TRY(read(targets, keys.targets));
    LLMPATCH_TRY(read(snapshot, keys.snapshot));
    return read(timestamp, keys.timestamp);
  }
};

// The timestamp's key lives on a machine that is online; what else it signs is as safe as that.
void warn_of_shared_keys(const ChannelKeys& keys) {
  const auto shares = [&](const std::vector<PublicKey>& others) {
    return std::any_of(keys.timestamp.begin(), keys.timestamp.end(), [&](const PublicKey& online) {
      return std::any_of(others.begin(), others.end(),
                         [&](const PublicKey& key) { return key.hint() == online.hint(); });
    });
  };
  for (const auto& [name, others] : {std::pair("root", &keys.root), {"targets", &keys.targets}}) {
    if (!shares(*others)) continue;
    warn(std::string("one key signs timestamps, and so is kept online, and ") + name +
         " too: who breaks into that machine has the channel");
  }
}

Status report(const Options& options, const ChannelStep& step) {
  for (const std::string& line : step.advice) say(line);
  for (const std::string& name : step.written) {
    LLMPATCH_TRY(print((options.folder / name).string() + "\n"));
  }
  return {};
}

std::string offer_text(const ChannelTarget& target) {
  return target.name + " " + target.version + ", sha256:" + target.digest +
         (target.revoked ? ", REVOKED" : "");
}

Status init(Options& options) {
  LLMPATCH_TRY(options.read_keys());
  warn_of_shared_keys(options.keys);
  LLMPATCH_ASSIGN(const auto signers, options.read_signers());
  ChannelFolder channel(options.folder);
  LLMPATCH_ASSIGN(const ChannelStep step,
                  channel.init(options.keys, signers, options.days, options.collecting()));
  return report(options, step);
}

Status rotate(Options& options) {
  LLMPATCH_TRY(options.read_keys());
  warn_of_shared_keys(options.keys);
  LLMPATCH_ASSIGN(const auto signers, options.read_signers());
  ChannelFolder channel(options.folder);
  LLMPATCH_ASSIGN(const ChannelStep step,
                  channel.rotate(options.keys, signers, options.days, options.collecting()));
  return report(options, step);
}

Status add(const Options& options) {
  LLMPATCH_ASSIGN(const Trust trust, options.trust.trust());
  ChannelFolder channel(options.folder);
  for (const fs::path& patch : options.patches) {
    LLMPATCH_ASSIGN(const ChannelTarget target, channel.add(patch, trust));
    say("added to the draft: " + offer_text(target));
  }
  say("next: llmpatch channel publish");
  return {};
}

Status revoke(const Options& options) {
  LLMPATCH_ASSIGN(const Reference reference, parse_reference(options.reference));
  if (reference.version.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "channel",
                      "revoke: found " + options.reference + ", expected NAME@VERSION");
  }
  ChannelFolder channel(options.folder);
  LLMPATCH_ASSIGN(const ChannelTarget target, channel.revoke(reference.name, reference.version));
  say("revoked in the draft: " + offer_text(target));
  say("next: llmpatch channel publish");
  return {};
}

// What a signature says is shown before it is made.
Status publish(const Options& options) {
  ChannelFolder channel(options.folder);
  LLMPATCH_ASSIGN(const TufTargets draft, channel.draft());
  LLMPATCH_ASSIGN(const auto targets, read_channel_targets(draft));
  for (const ChannelTarget& target : targets) say("to sign: " + offer_text(target));
  LLMPATCH_ASSIGN(const auto signers, options.read_signers());
  LLMPATCH_ASSIGN(const ChannelStep step,
                  channel.publish(draft, signers, options.days, options.collecting()));
  return report(options, step);
}

Status show(const TufEnvelope& pending) {
  say("to sign: " + std::string(tuf_role_name(pending.role)) + ", version " +
      std::to_string(pending.version) + ", expires " + pending.expires);
  if (pending.role == TufRole::kTargets) {
    LLMPATCH_ASSIGN(const TufTargets targets, parse_tuf_targets(pending, "targets"));
    LLMPATCH_ASSIGN(const auto offers, read_channel_targets(targets));
    for (const ChannelTarget& target : offers) say("to sign: " + offer_text(target));
    return {};
  }
  LLMPATCH_ASSIGN(const TufRoot root, parse_tuf_root(pending, "root"));
  for (const auto& [role, keys] : root.roles) {
    std::string text = "to sign: " + std::string(tuf_role_name(role)) + " by " +
                       std::to_string(keys.threshold) + " of";
    for (const std::string& id : keys.keyids) text += " " + root.keys.at(id).identity();
    say(text);
  }
  return {};
}

// Adds signatures to whatever waits for one of these keys.
Status sign(const Options& options) {
  ChannelFolder channel(options.folder);
  std::vector<TufEnvelope> all;
  for (const TufRole role : {TufRole::kRoot, TufRole::kTargets}) {
    LLMPATCH_ASSIGN(std::optional<TufEnvelope> pending, channel.pending(role));
    if (!pending) continue;
    LLMPATCH_TRY(show(*pending));
    all.push_back(std::move(*pending));
  }
  if (all.empty()) {
    return make_error(ErrorKind::kNotFound, "channel",
                      options.folder.string() + ": found nothing that waits for signatures",
                      "llmpatch channel publish --collect and rotate --collect begin it");
  }
  LLMPATCH_ASSIGN(const auto signers, options.read_signers());
  std::optional<Error> refused;
  bool signed_any = false;
  for (const TufEnvelope& pending : all) {
    const Result<ChannelStep> step = channel.sign(pending, signers);
    if (step.ok()) {
      LLMPATCH_TRY(report(options, *step));
      signed_any = true;
    } else if (step.error().kind != ErrorKind::kInvalidArgument) {
      return step.error();
    } else if (!refused) {
      refused = step.error();
    }
  }
  return signed_any ? Status() : Status(*refused);
}

Status refresh(const Options& options) {
  LLMPATCH_ASSIGN(const auto signers, options.read_signers());
  ChannelFolder channel(options.folder);
  LLMPATCH_ASSIGN(const ChannelStep step, channel.refresh(signers, options.days));
  return report(options, step);
}

template <class Run>
RunFn with(const std::shared_ptr<Options>& options, Run run) {
  return [options, run](const CancelFlag&) { return run(*options); };
}

}  // namespace

RunFn declare_channel_init(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  options->declare_keys(app);
  options->declare_signers(app);
  options->declare_collect_root(app);
  return with(options, init);
}

RunFn declare_channel_rotate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  options->declare_keys(app);
  options->declare_signers(app);
  options->declare_collect_root(app);
  return with(options, rotate);
}

RunFn declare_channel_add(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  app.add_option("PATCH", options->patches, "Patch directory or .llmpatch file, signed")
      ->required();
  options->trust.declare(app);
  return with(options, add);
}

RunFn declare_channel_revoke(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  app.add_option("REFERENCE", options->reference, "NAME@VERSION")->required();
  return with(options, revoke);
}

RunFn declare_channel_publish(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  options->declare_signers(app);
  options->declare_targets_days(app);
  options->declare_timestamp_days(app);
  app.add_flag("--collect", options->collect,
               "Sign the targets alone, into next.targets.json, for llmpatch channel sign");
  return with(options, publish);
}

RunFn declare_channel_sign(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  options->declare_signers(app);
  return with(options, sign);
}

RunFn declare_channel_refresh(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->declare_folder(app);
  options->declare_signers(app);
  options->declare_timestamp_days(app);
  return with(options, refresh);
}

}  // namespace llmpatch
