// Any bytes as model.sig: a bundle that is accepted must be written and read again, and so must the
// statement in it, which is otherwise read only once a signature holds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trust/bundle.h"
#include "trust/statement.h"

namespace {

void read_statement(std::string_view text) {
  const auto statement = llmpatch::parse_statement(text, "fuzz");
  if (!statement.ok()) return;
  const std::string written = llmpatch::statement_to_json(statement->subject, statement->files);
  const auto again = llmpatch::parse_statement(written, "fuzz");
  if (!again.ok() || !(*again == *statement)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bundle = llmpatch::parse_bundle(text, "fuzz");
  if (!bundle.ok()) {
    read_statement(text);
    return 0;
  }
  const auto again = llmpatch::parse_bundle(llmpatch::bundle_to_json(*bundle), "fuzz");
  if (!again.ok() || !(*again == *bundle)) std::abort();
  read_statement(bundle->payload);
  return 0;
}
