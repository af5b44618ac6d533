#include "distribution/registry_auth.h"

#include <algorithm>
#include <vector>

#include "base/ascii.h"
#include "base/json.h"
#include "base/quote.h"
#include "http/url.h"
#include "base/base64.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxToken = 64 << 10;

bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads a header from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  void skip_blanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t')) text_.remove_prefix(1);
  }
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string_view token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is_token);
    const std::string_view taken = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(taken.size());
    return taken;
  }
  // A token, or a quoted string without its quotes; nothing for an unclosed one.
  std::optional<std::string> value() {
    if (!take('"')) return std::string(token());
    std::string value;
    while (!text_.empty() && text_[0] != '"') {
      if (text_[0] == '\\' && text_.size() > 1) text_.remove_prefix(1);
      value += text_[0];
      text_.remove_prefix(1);
    }
    if (!take('"')) return std::nullopt;
    return value;
  }
  bool next_is(char c) const { return text_.starts_with(c); }
  bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
};

Error denied(const std::string& message, const std::string& hint = "") {
  return make_error(ErrorKind::kDenied, "registry", message, hint);
}

}  // namespace

Result<Challenge> parse_challenge(std::string_view header) {
  const auto corrupt = [&] {
    return make_error(ErrorKind::kCorrupt, "registry",
                      "WWW-Authenticate: found " + quote(header, 200) +
                          ", expected Basic or Bearer and its parameters");
  };
  Reader reader(header);
  std::vector<Challenge> challenges;
  while (true) {
    reader.skip_blanks();
    while (reader.take(',')) reader.skip_blanks();
    if (reader.at_end()) break;
    const std::string word = ascii_lower(reader.token());
    if (word.empty()) return corrupt();
    reader.skip_blanks();
    if (!reader.take('=')) {  // no parameter: the next challenge begins
      challenges.push_back({word, {}});
      continue;
    }
    reader.skip_blanks();
    auto value = reader.value();
    if (!value || challenges.empty()) return corrupt();
    challenges.back().values.emplace(word, std::move(*value));
    reader.skip_blanks();
    if (!reader.at_end() && !reader.next_is(',')) return corrupt();
  }
  if (challenges.empty()) return corrupt();
  for (const char* scheme : {"bearer", "basic"}) {
    for (Challenge& challenge : challenges) {
      if (challenge.scheme == scheme) return std::move(challenge);
    }
  }
  return std::move(challenges.front());
}

std::string RegistryAuth::basic() const {
  return "Basic " + base64_encode(credentials_->user + ":" + credentials_->password);
}

Status RegistryAuth::fetch_token(HttpClient& client, const Challenge& challenge,
                                 const std::string& registry) {
  const auto value = [&](const char* name) {
    const auto found = challenge.values.find(name);
    return found == challenge.values.end() ? std::string() : found->second;
  };
  const std::string realm = value("realm");
  const auto asked = parse_url(realm);
  if (!asked.ok()) {
    return make_error(
        ErrorKind::kIo, "registry",
        registry + ": found the realm " + quote(realm, 200) + ", expected an address");
  }
  LLMPATCH_ASSIGN(const Url asker, parse_url(registry));
  if (asker.scheme == "https" && asked->scheme != "https") {
    return denied(
        quote(realm, 200) +
        ": found a token service without https, expected one with it as the registry has");
  }
  HttpRequest request;
  request.url = realm;
  request.max_answer = kMaxToken;
  if (!value("service").empty()) {
    LLMPATCH_ASSIGN(request.url, add_query(request.url, "service", value("service")));
  }
  LLMPATCH_ASSIGN(request.url, add_query(request.url, "scope", scope_));
  if (credentials_) request.authorization = basic();
  LLMPATCH_ASSIGN(const HttpAnswer answer, client.send(request));
  const bool refused = answer.status == 400 || answer.status == 401 || answer.status == 403;
  if (answer.status != 200) {
    return make_error(refused ? ErrorKind::kDenied : ErrorKind::kIo, "registry",
                      quote(realm, 200) + ": found status " + std::to_string(answer.status) +
                          ", expected a token",
                      refused && !credentials_ ? "docker login stores credentials" : "");
  }
  LLMPATCH_ASSIGN(const Json json, parse_json(answer.body, realm));
  std::string token;
  for (const char* key : {"access_token", "token"}) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (found != json.end() && found->is_string() && *found != "") token = *found;
  }
  if (token.empty()) {
    return make_error(ErrorKind::kIo, "registry", quote(realm, 200) + ": found no token");
  }
  header_ = "Bearer " + token;
  return {};
}

Status RegistryAuth::answer(HttpClient& client, const HttpAnswer& refused) {
  LLMPATCH_ASSIGN(const Challenge challenge, parse_challenge(refused.header("www-authenticate")));
  const std::string before = header_;
  if (challenge.scheme == "bearer") {
    LLMPATCH_TRY(fetch_token(client, challenge, refused.url));
  } else if (challenge.scheme == "basic" && credentials_) {
    header_ = basic();
  } else if (challenge.scheme == "basic") {
    return denied(refused.url + ": found no credentials, and the registry asks for them",
                  "docker login stores them; --docker-config names another file");
  } else {
    return denied(refused.url + ": found the scheme " + quote(challenge.scheme) +
                  ", expected Basic or Bearer");
  }
  if (header_ == before) return denied(refused.url + ": the credentials are not accepted");
  return {};
}

}  // namespace llmpatch
