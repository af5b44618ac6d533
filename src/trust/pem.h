// PEM (RFC 7468, and the headers of RFC 1421): DER as text between two lines that name it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace llmpatch {

struct PemBlock {
  std::string label;    // such as "PUBLIC KEY"
  std::string headers;  // "Proc-Type: 4,ENCRYPTED" and the like, a line each; mostly none
  std::string der;
};

// The first block of `text` that has one of these labels. What is before it is passed over, blocks
// of other labels included (`openssl ecparam` writes one before its key). Nothing where there is no
// such block, where it has no end, or where anything but lines of base64 is in it.
std::optional<PemBlock> find_pem_block(std::string_view text,
                                       std::initializer_list<std::string_view> labels);

// How many blocks of `text` begin that have this label.
std::size_t count_pem_blocks(std::string_view text, std::string_view label);

}  // namespace llmpatch
