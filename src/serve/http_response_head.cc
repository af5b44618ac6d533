#include "serve/http_response_head.h"

#include <array>
#include <boost/beast/http/status.hpp>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "base/ascii.h"
#include "serve/http_request_parser.h"

namespace llmpatch {
namespace {

// As RFC 9110 5.6.7 writes it, in whatever locale.
std::string http_date(std::time_t now) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday],
                utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                utc.tm_sec);
  return text.data();
}

bool is_ours(std::string_view name) {
  const std::string lower = ascii_lower(name);
  for (const std::string_view ours :
       {"connection", "content-length", "date", "server", "transfer-encoding"}) {
    if (lower == ours) return true;
  }
  return false;
}

std::string_view reason(int status) {
  const auto text =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {text.data(), text.size()};
}

}  // namespace

std::optional<std::string> http_response_head(int status, const HttpHeaders& headers,
                                              HttpFraming framing, std::size_t length,
                                              bool keep_alive) {
  if (status < 200 || status > 599) return std::nullopt;
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason(status)).append("\r\nServer: llmpatch\r\nDate: ");
  head.append(http_date(std::time(nullptr))).append("\r\n");
  for (const auto& [name, value] : headers) {
    if (!is_header_name(name) || !is_header_value(value) || is_ours(name)) return std::nullopt;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (framing == HttpFraming::kLength) {
    head.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
  } else if (framing == HttpFraming::kChunked) {
    head.append("Transfer-Encoding: chunked\r\n");
  }
  return head.append(keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

}  // namespace llmpatch
