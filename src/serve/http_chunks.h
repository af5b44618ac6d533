// The body of a request that comes in chunks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace llmpatch {

// Not thread-safe. Of one body. (Beast's own reader of chunks, as of 1.74, holds an assertion that
// a client can break by sending the last chunk byte by byte.)
class HttpChunks {
 public:
  enum class State { kMore, kWhole, kBad, kTooLarge };

  // At most `max_body` bytes of data. Lines of at most `max_line` bytes; as much, and 16 bytes for
  // each byte of data, is allowed for framing in all.
  HttpChunks(std::size_t max_body, std::size_t max_line)
      : max_body_(max_body), max_line_(max_line) {}

  // Takes chunks from the front of `input` and appends their data to `body`. Extensions and the
  // trailer are checked and dropped.
  State take(std::string& input, std::string& body);

 private:
  enum class Part { kSize, kData, kDataEnd, kTrailer };

  State take_line(std::string_view line);

  const std::size_t max_body_, max_line_;
  Part part_ = Part::kSize;
  std::size_t left_ = 0;     // of the chunk
  std::size_t data_ = 0;     // of all chunks so far, the one that is being read included
  std::size_t framing_ = 0;  // all other bytes so far
};

}  // namespace llmpatch
