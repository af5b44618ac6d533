// llmpatch channel push: copies what was published into a repository of a registry.
#include <memory>

#include "base/json.h"
#include "channel.h"
#include "distribution/channel_maker.h"
#include "distribution/channel_repository.h"
#include "progress_bar.h"
#include "registry_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::filesystem::path folder;
  std::string repository;
  RegistryPlace registry;
  bool json = false;
};

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(const OciReference reference, parse_channel_repository(options.repository));
  LLMPATCH_ASSIGN(const std::vector<std::string> files,
                  ChannelFolder(options.folder).published_files());
  LLMPATCH_ASSIGN(Registry registry,
                  options.registry.open(reference, RegistryAccess::kPush, cancel));
  ProgressBar bar("pushing", "files");
  LLMPATCH_ASSIGN(const std::vector<std::string> uploaded,
                  push_channel(options.folder, files, registry, bar.callback()));
  bar.clear();
  const std::string place = "oci://" + reference.to_string();
  if (options.json) return print(json_pretty(Json{{"channel", place}, {"uploaded", uploaded}}));
  if (uploaded.empty()) say("all of it was there already");
  for (const std::string& file : uploaded) say("uploaded " + file);
  return print(place + "\n");
}

}  // namespace

RunFn declare_channel_push(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("DIR", options->folder, "Folder of the channel")->required();
  app.add_option("REPOSITORY", options->repository, "host/repository, of this channel alone")
      ->required();
  options->registry.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
