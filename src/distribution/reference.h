// How a patch of the store is called: "name", "name@1.2.3" or "name@sha256:<digest>".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

struct Reference {
  std::string name;
  std::string version;  // empty unless given
  std::string digest;   // empty unless given: 64 hexadecimal digits

  bool names_one() const { return !version.empty() || !digest.empty(); }
  // As it is written.
  std::string to_string() const;
};

// kInvalidArgument for anything but the three forms.
Result<Reference> parse_reference(std::string_view text);

// A name alone, for what concerns all versions of it. kInvalidArgument for anything else.
Result<std::string> parse_bare_name(std::string_view text);

}  // namespace llmpatch
