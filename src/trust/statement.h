// What is signed: an in-toto Statement v1 whose predicate, OpenSSF Model Signing v1.0, lists every
// file with its digest.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "patch/files.h"

namespace llmpatch {

struct Statement {
  std::string subject;                       // a name for people; nothing depends on it
  std::string root_digest;                   // root_digest() of `files`
  std::map<std::string, std::string> files;  // name -> SHA-256, 64 hexadecimal digits

  bool operator==(const Statement&) const = default;
};

// SHA-256 of every file but model.sig.
std::map<std::string, std::string> file_digests(const PatchFiles& files);

// SHA-256 over the digests as raw bytes, one behind the other in the order of the names (spec 6.5).
// Each must be 64 hexadecimal digits.
std::string root_digest(const std::map<std::string, std::string>& digests);

// The statement about `digests`. The same input gives the same bytes.
std::string statement_to_json(const std::string& subject,
                              const std::map<std::string, std::string>& digests);

// Reads a statement whose bytes were verified already. kUntrusted for anything but the one form:
// other types, members that the specification does not have, another method than whole files with
// SHA-256, symbolic links allowed, several subjects, files unsorted or twice, or a root digest that
// is not that of the list.
Result<Statement> parse_statement(std::string_view text, std::string_view where);

}  // namespace llmpatch
