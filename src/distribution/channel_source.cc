#include "distribution/channel_source.h"

#include <filesystem>

#include "base/file.h"
#include "http/url.h"

namespace llmpatch {

bool is_channel_url(const std::string& place) { return place.find("://") != std::string::npos; }

Result<ChannelSource> ChannelSource::open(const std::string& place, const HttpOptions& options) {
  ChannelSource source(place);
  if (!is_channel_url(place)) return source;
  LLMPATCH_TRY(parse_url(place));
  if (place.find_first_of("?#") != std::string::npos) {
    return make_error(ErrorKind::kInvalidArgument, "channel",
                      place + ": found a query or fragment, expected the address of a folder");
  }
  while (source.place_.ends_with('/')) source.place_.pop_back();
  LLMPATCH_ASSIGN(source.client_, HttpClient::create(options));
  return source;
}

Result<std::optional<std::string>> ChannelSource::find(const std::string& name,
                                                       std::uint64_t max_bytes,
                                                       const ProgressFn& progress) {
  if (!client_) {
    auto text = read_file(std::filesystem::path(place_) / name, max_bytes, "channel");
    if (text.ok()) return std::optional(std::move(text).value());
    if (text.error().kind == ErrorKind::kNotFound) return std::optional<std::string>();
    return std::move(text).error();
  }
  HttpRequest request;
  request.url = place_ + "/" + name;
  request.max_answer = max_bytes;
  request.progress = progress;
  LLMPATCH_ASSIGN(HttpAnswer answer, client_->send(request));
  if (answer.status == 200) return std::optional(std::move(answer.body));
  // Stores of objects that do not list what they have answer 403 for what they have not.
  if (answer.status == 403 || answer.status == 404 || answer.status == 410) {
    return std::optional<std::string>();
  }
  return make_error(ErrorKind::kIo, "channel",
                    request.url + ": found status " + std::to_string(answer.status) +
                        ", expected the file or 404");
}

Result<std::string> ChannelSource::get(const std::string& name, std::uint64_t max_bytes,
                                       const ProgressFn& progress) {
  LLMPATCH_ASSIGN(std::optional<std::string> found, find(name, max_bytes, progress));
  if (found) return std::move(*found);
  return make_error(ErrorKind::kNotFound, "channel", place_ + ": found no " + name);
}

}  // namespace llmpatch
