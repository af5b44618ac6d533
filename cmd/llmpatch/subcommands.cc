// The subcommands of the whole program, in the order of its help.
#include "command.h"

namespace llmpatch {

std::span<const Subcommand> subcommands() {
  static constexpr Subcommand kSubcommands[] = {
      {"learn", "Learn a patch from a model, a safer teacher and prompts", declare_learn},
      {"eval", "Measure what a patch does and write a report", declare_eval},
      {"report", "Make one page of evaluations, any number of them", declare_report},
      {"ablate", "Learn and measure a grid of variants", declare_ablate},
      {"attack", "Search suffixes that break a patch, and say how often they do", declare_attack},
      {"compose", "Measure patches alone and together, and how to compose them best",
       declare_compose},
      {"merge", "Merge a LoRA adapter into a model file", declare_merge},
      {"diff", "Show which answers a patch changes", declare_diff},
      {"generate", "Answer the prompts of a JSON-lines file", declare_generate},
      {"chat", "Talk with a model, patches on or off", declare_chat},
      {"serve", "Serve a model over HTTP, patches chosen by each request", declare_serve},
      {"inspect", kInspectSummary, declare_inspect},
      {"keygen", kKeygenSummary, declare_keygen},
      {"sign", kSignSummary, declare_sign},
      {"verify", kVerifySummary, declare_verify},
      {"pack", kPackSummary, declare_pack},
      {"unpack", kUnpackSummary, declare_unpack},
      {"push", "Upload a patch to an OCI registry", declare_push},
      {"pull", "Download a patch from an OCI registry and verify it", declare_pull},
      {"tags", "Show what a repository of a registry holds", declare_tags},
      {"install", "Put a verified patch into the store", declare_install},
      {"list", "Show what is in the store", declare_list},
      {"activate", "Make an installed version the one that its name stands for", declare_activate},
      {"deactivate", "Leave no version of a name active", declare_deactivate},
      {"rollback", "Return to the version that was active before", declare_rollback},
      {"remove", "Remove a version from the store", declare_remove},
      {"history", "Show what was done to the store, by whom and when", declare_history},
      {"channel", "Publish patches in an update channel, or follow one", declare_channel},
      {"update", "Install what the channels of the store have that is newer", declare_update},
      {"doctor", "Check this machine: BLAS, processor, memory, models", declare_doctor},
  };
  return kSubcommands;
}

}  // namespace llmpatch
