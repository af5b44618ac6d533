// How a registry wants to be asked (RFC 9110, section 11; the token flow of CNCF distribution).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "distribution/credentials.h"
#include "http/client.h"

namespace llmpatch {

// A challenge of WWW-Authenticate.
struct Challenge {
  std::string scheme;                         // lower case: basic, bearer
  std::map<std::string, std::string> values;  // realm, service, scope ...; names in lower case
};

// Of the challenges in the header, which may have been several headers: the first that is Bearer,
// or else Basic, or else the first. kCorrupt for anything else than challenges.
Result<Challenge> parse_challenge(std::string_view header);

// Gives the Authorization header of requests, and learns what it has to be from 401 answers.
class RegistryAuth {
 public:
  // `scope` is what tokens are asked for, such as "repository:team/refuse:pull".
  RegistryAuth(std::string scope, std::optional<Credentials> credentials)
      : scope_(std::move(scope)), credentials_(std::move(credentials)) {}

  // Empty until a registry asked for something.
  const std::string& header() const { return header_; }

  // Takes a 401 answer of the registry itself: fetches a token, or shows the credentials. kDenied:
  // there is nothing (more) to show, or a realm without https beside a registry with it; kIo: a
  // realm that is none, a token service that does not work; and the errors of the client and of
  // parse_challenge.
  Status answer(HttpClient& client, const HttpAnswer& refused);

 private:
  Status fetch_token(HttpClient& client, const Challenge& challenge, const std::string& registry);
  std::string basic() const;

  std::string scope_;
  std::optional<Credentials> credentials_;
  std::string header_;
};

}  // namespace llmpatch
