// An update channel in a repository of a registry. Each file of the channel's folder is an artifact
// of one layer, under a tag of its own:
//
//   timestamp.json, 1.root.json, N.snapshot.json, N.targets.json    the file's name
//   targets/<sha256>.name-version.llmpatch                          <sha256>
//
// Only the tag timestamp.json ever moves. A registry is trusted with none of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "distribution/oci_reference.h"
#include "distribution/registry.h"

namespace llmpatch {

// host/repository, with "oci://" before it or not. kInvalidArgument for anything else, a tag or
// digest among it.
Result<OciReference> parse_channel_repository(std::string_view text);

// The tag of a file, named as seen from the channel's folder.
std::string channel_tag(const std::string& file);

// The bytes of a file, or nothing where the registry has no such tag. kLimit: more than
// `max_bytes`, of which none is then fetched; kMismatch: another kind of artifact; kCorrupt; errors
// of Registry.
Result<std::optional<std::string>> find_channel_file(Registry& registry, const std::string& file,
                                                     std::uint64_t max_bytes,
                                                     const ProgressFn& progress = {});

// Uploads `files` of a channel's folder (ChannelFolder::published_files, in its order) that are not
// there yet, and moves timestamp.json to the one of the folder. Broken off anywhere it leaves what
// a client reads whole. Returns the files that were uploaded. kExists: another file under one of
// the other tags, so another channel; kDenied: a newer timestamp is there; kCorrupt: a patch that
// is not what its name says; errors of Registry and read_file.
Result<std::vector<std::string>> push_channel(const std::filesystem::path& folder,
                                              const std::vector<std::string>& files,
                                              Registry& registry, const ProgressFn& progress = {});

}  // namespace llmpatch
