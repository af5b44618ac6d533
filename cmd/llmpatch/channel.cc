// llmpatch channel: update channels, from the maker's side and the operator's.
#include "channel.h"

#include <memory>
#include <utility>
#include <vector>

namespace llmpatch {

RunFn declare_channel(CLI::App& app) {
  app.require_subcommand(1);
  auto commands = std::make_shared<std::vector<std::pair<CLI::App*, RunFn>>>();
  for (const Subcommand& each : kChannelCommands) {
    CLI::App* command = app.add_subcommand(each.name, each.summary);
    commands->emplace_back(command, each.declare(*command));
  }
  return [commands](const CancelFlag& cancel) -> Status {
    for (const auto& [command, run] : *commands) {
      if (command->parsed()) return run(cancel);
    }
    return {};
  };
}

}  // namespace llmpatch
