// Notices that a store has changed. Internal to serve/.
#pragma once

#include <filesystem>
#include <string>

namespace llmpatch {

// The state of the files that decide what a store has and lets in, as far as their size and time of
// change tell; equal texts mean that nothing has changed. Empty where there is no store.
std::string store_state(const std::filesystem::path& folder);

}  // namespace llmpatch
