// The commands under llmpatch channel.
#pragma once

#include "command.h"

namespace llmpatch {

// channel_maker.cc
RunFn declare_channel_init(CLI::App& app);
RunFn declare_channel_add(CLI::App& app);
RunFn declare_channel_revoke(CLI::App& app);
RunFn declare_channel_publish(CLI::App& app);
RunFn declare_channel_refresh(CLI::App& app);
RunFn declare_channel_rotate(CLI::App& app);
RunFn declare_channel_sign(CLI::App& app);

// channel_push.cc
RunFn declare_channel_push(CLI::App& app);

// channel_follow.cc
RunFn declare_channel_subscribe(CLI::App& app);
RunFn declare_channel_unsubscribe(CLI::App& app);
RunFn declare_channel_list(CLI::App& app);

inline constexpr Subcommand kChannelCommands[] = {
    {"init", "Make a channel's folder and its first root", declare_channel_init},
    {"add", "Add a signed patch to the draft", declare_channel_add},
    {"revoke", "Say in the draft that a version is revoked, for ever", declare_channel_revoke},
    {"publish", "Sign the draft", declare_channel_publish},
    {"refresh", "Sign a new timestamp", declare_channel_refresh},
    {"rotate", "Sign a new root: other keys, or a later expiry", declare_channel_rotate},
    {"sign", "Add signatures of other keys to what waits for them", declare_channel_sign},
    {"push", "Copy what was published into a registry", declare_channel_push},
    {"subscribe", "Follow a channel from this store", declare_channel_subscribe},
    {"unsubscribe", "Follow it no more", declare_channel_unsubscribe},
    {"list", "Show the channels that this store follows", declare_channel_list},
};

}  // namespace llmpatch
