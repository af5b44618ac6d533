#include "channel_place.h"

#include <filesystem>

#include "distribution/channel_source.h"

namespace llmpatch {

namespace fs = std::filesystem;

Result<std::string> channel_place(const std::string& text) {
  if (is_channel_url(text)) {
    LLMPATCH_ASSIGN(const auto source, ChannelSource::open(text, {}));
    return source->place();
  }
  std::error_code code;
  const fs::path path = fs::absolute(text, code).lexically_normal();
  if (code || text.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "channel",
                      "found no address and no folder, expected one");
  }
  return (path.has_filename() ? path : path.parent_path()).string();
}

}  // namespace llmpatch
