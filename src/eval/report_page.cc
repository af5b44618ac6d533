#include "eval/report_page.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/sha256.h"
#include "eval/html.h"
#include "eval/report_assets.h"

namespace llmpatch {

std::string page_html(const std::string& title, const std::string& body,
                      const std::string& more_style) {
  const std::string style = std::string(report_style()) + more_style;
  // By its digest, and no script at all: were anything left unescaped, it could not run.
  const std::string digest = base64_encode(hex_decode(sha256_hex(style)).value_or(""));
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'sha256-" +
         digest +
         "'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" +
         html_escape(title) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n" +
         body + "</main>\n</body>\n</html>\n";
}

}  // namespace llmpatch
