#include "distribution/channel_source.h"

#include <filesystem>

#include "base/file.h"
#include "distribution/channel_repository.h"
#include "http/url.h"

namespace llmpatch {
namespace {

constexpr std::string_view kRegistryScheme = "oci://";

class FolderSource : public ChannelSource {
 public:
  explicit FolderSource(std::string place) : ChannelSource(std::move(place)) {}

  Result<std::optional<std::string>> find(const std::string& name, std::uint64_t max_bytes,
                                          const ProgressFn&) override {
    auto text = read_file(std::filesystem::path(place()) / name, max_bytes, "file of a channel");
    if (text.ok()) return std::optional(std::move(text).value());
    Error error = std::move(text).error();
    if (error.kind == ErrorKind::kNotFound) return std::optional<std::string>();
    // A device or pipe is the place's doing, not the caller's.
    if (error.kind == ErrorKind::kInvalidArgument) error.kind = ErrorKind::kCorrupt;
    return error;
  }
};

class HttpSource : public ChannelSource {
 public:
  HttpSource(std::string place, HttpClient client)
      : ChannelSource(std::move(place)), client_(std::move(client)) {}

  Result<std::optional<std::string>> find(const std::string& name, std::uint64_t max_bytes,
                                          const ProgressFn& progress) override {
    HttpRequest request;
    request.url = place() + "/" + name;
    request.max_answer = max_bytes;
    request.progress = progress;
    LLMPATCH_ASSIGN(HttpAnswer answer, client_.send(request));
    if (answer.status == 200) return std::optional(std::move(answer.body));
    // Stores of objects that do not list what they have answer 403 for what they have not.
    if (answer.status == 403 || answer.status == 404 || answer.status == 410) {
      return std::optional<std::string>();
    }
    return make_error(ErrorKind::kIo, "channel",
                      request.url + ": found status " + std::to_string(answer.status) +
                          ", expected the file or 404");
  }

 private:
  HttpClient client_;
};

class RegistrySource : public ChannelSource {
 public:
  RegistrySource(std::string place, Registry registry)
      : ChannelSource(std::move(place)), registry_(std::move(registry)) {}

  Result<std::optional<std::string>> find(const std::string& name, std::uint64_t max_bytes,
                                          const ProgressFn& progress) override {
    return find_channel_file(registry_, name, max_bytes, progress);
  }

 private:
  Registry registry_;
};

}  // namespace

bool is_channel_url(const std::string& place) { return place.find("://") != std::string::npos; }

Result<std::unique_ptr<ChannelSource>> ChannelSource::open(const std::string& place,
                                                           const RegistryOptions& options) {
  using Opened = std::unique_ptr<ChannelSource>;
  if (!is_channel_url(place)) return Opened(std::make_unique<FolderSource>(place));
  if (place.starts_with(kRegistryScheme)) {
    LLMPATCH_ASSIGN(const OciReference reference, parse_channel_repository(place));
    LLMPATCH_ASSIGN(Registry registry, Registry::open(reference.host, reference.repository,
                                                      RegistryAccess::kPull, options));
    return Opened(std::make_unique<RegistrySource>(place, std::move(registry)));
  }
  LLMPATCH_TRY(parse_url(place));
  if (place.find_first_of("?#") != std::string::npos) {
    return make_error(ErrorKind::kInvalidArgument, "channel",
                      place + ": found a query or fragment, expected the address of a folder");
  }
  std::string clean = place;
  while (clean.ends_with('/')) clean.pop_back();
  LLMPATCH_ASSIGN(HttpClient client, HttpClient::create(options.http));
  return Opened(std::make_unique<HttpSource>(std::move(clean), std::move(client)));
}

Result<std::string> ChannelSource::get(const std::string& name, std::uint64_t max_bytes,
                                       const ProgressFn& progress) {
  LLMPATCH_ASSIGN(std::optional<std::string> found, find(name, max_bytes, progress));
  if (found) return std::move(*found);
  return make_error(ErrorKind::kNotFound, "channel", place_ + ": found no " + name);
}

}  // namespace llmpatch
