// Addresses: their parts, and what a relative one means.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

struct Url {
  std::string scheme, host;  // lower case; an IPv6 host in brackets
  std::string port;          // the scheme's own where none was given
};

// The parts of an absolute http or https URL without user and password. kInvalidArgument otherwise.
Result<Url> parse_url(std::string_view text);

// `text`, which may be relative, seen from `base`. kInvalidArgument.
Result<std::string> resolve_url(std::string_view base, std::string_view text);

// `url` with "name=value" added to its query, escaped.
Result<std::string> add_query(std::string_view url, std::string_view name, std::string_view value);

// Whether both are the same scheme, host and port: what credentials for one may be shown to.
bool same_origin(const Url& one, const Url& other);

// localhost, 127.0.0.0/8 or [::1].
bool is_this_machine(const Url& url);

}  // namespace llmpatch
