// Any bytes as what a client sends. What is accepted keeps within its limits, and means the same
// however the network cuts it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "serve/http_request_parser.h"

namespace {

using llmpatch::HttpRequestParser;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  HttpRequestParser::State state = HttpRequestParser::State::kHead;
  int status = 0;
  llmpatch::HttpServerRequest request;
  std::size_t rest = 0;  // bytes that are the next request's
};

Outcome parse(std::string_view text, std::size_t step) {
  llmpatch::HttpRequestLimits limits;
  limits.head = 1024;
  limits.target = 128;
  limits.headers = 10;
  limits.body = 256;
  HttpRequestParser parser(limits);
  Outcome outcome;
  std::string input;
  while (!text.empty() && (outcome.state == HttpRequestParser::State::kHead ||
                           outcome.state == HttpRequestParser::State::kBody)) {
    input.append(text.substr(0, step));
    text.remove_prefix(std::min(step, text.size()));
    outcome.state = parser.take(input);
  }
  outcome.rest = input.size() + text.size();
  if (outcome.state == HttpRequestParser::State::kRefused) outcome.status = parser.refusal().status;
  if (outcome.state != HttpRequestParser::State::kWhole) return outcome;
  outcome.request = parser.request();
  require(outcome.request.body.size() <= limits.body);
  require(outcome.request.path.size() + outcome.request.query.size() <= limits.target);
  require(outcome.request.headers.size() <= limits.headers);
  require(outcome.request.path.front() == '/' || outcome.request.path == "*");
  for (const auto& [name, value] : outcome.request.headers) {
    require(llmpatch::is_header_name(name) && llmpatch::is_header_value(value));
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Outcome whole = parse(text, std::max<std::size_t>(size, 1)), cut = parse(text, 1);
  if (whole.state != HttpRequestParser::State::kWhole) {
    // Only which limit is met first may depend on the cuts.
    require(cut.state != HttpRequestParser::State::kWhole);
    return 0;
  }
  require(cut.state == whole.state && cut.rest == whole.rest);
  require(cut.request.path == whole.request.path && cut.request.body == whole.request.body);
  require(cut.request.headers == whole.request.headers);
  return 0;
}
