#include "serve/http_chunks.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "serve/http_request_parser.h"

namespace llmpatch {

HttpChunks::State HttpChunks::take(std::string& input, std::string& body) {
  std::size_t used = 0;
  State state = State::kMore;
  while (state == State::kMore && used < input.size()) {
    const std::string_view rest = std::string_view(input).substr(used);
    if (part_ == Part::kData) {
      const std::size_t size = std::min(left_, rest.size());
      body.append(rest.substr(0, size));
      used += size;
      left_ -= size;
      if (left_ == 0) part_ = Part::kDataEnd;
      continue;
    }
    const std::size_t end = rest.find("\r\n");
    // Without its end: the line, and perhaps a CR.
    if (end == rest.npos ? rest.size() > max_line_ + 1 : end > max_line_) {
      state = State::kBad;
      break;
    }
    if (end == rest.npos) break;
    framing_ += end + 2;
    used += end + 2;
    state = take_line(rest.substr(0, end));
    if (framing_ > max_line_ + 16 * data_) state = State::kBad;
  }
  input.erase(0, used);
  return state;
}

HttpChunks::State HttpChunks::take_line(std::string_view line) {
  if (!is_header_value(line)) return State::kBad;
  if (part_ == Part::kDataEnd) {
    part_ = Part::kSize;
    return line.empty() ? State::kMore : State::kBad;
  }
  if (part_ == Part::kTrailer) {
    if (line.empty()) return State::kWhole;
    return is_header_name(line.substr(0, line.find(':'))) && line.find(':') != line.npos
               ? State::kMore
               : State::kBad;
  }
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  if (error == std::errc::result_out_of_range) return State::kTooLarge;
  const bool extended = end != line.data() + line.size();
  if (error != std::errc() || (extended && *end != ';')) return State::kBad;
  if (size > max_body_ - data_) return State::kTooLarge;
  left_ = static_cast<std::size_t>(size);
  data_ += left_;
  part_ = left_ == 0 ? Part::kTrailer : Part::kData;
  return State::kMore;
}

}  // namespace llmpatch
