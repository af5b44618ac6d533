// Any bytes as an evaluation: the first line as eval.json, the rest as responses.jsonl. The page of
// what is accepted must not take any of it for markup.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "eval/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  auto card = llmpatch::parse_json(text.substr(0, line), "fuzz");
  if (!card.ok()) return 0;
  const llmpatch::ReportSource source{
      "fuzz", "fuzz", std::move(*card), std::string(text.substr(line)), {}};
  const auto page = llmpatch::report_html(std::span(&source, 1));
  if (page.ok() && page->find("<script") != std::string::npos) std::abort();
  return 0;
}
