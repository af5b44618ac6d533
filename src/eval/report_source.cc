// Reading evaluations from their folders.
#include <algorithm>
#include <map>
#include <system_error>

#include "base/file.h"
#include "eval/report.h"
#include "eval/report_answers.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxCard = std::uint64_t{16} << 20;  // docs/format.md
constexpr std::uint64_t kMaxMetrics = std::uint64_t{64} << 20;

std::string folder_name(const fs::path& folder) {
  std::error_code code;
  const fs::path whole = fs::weakly_canonical(folder.empty() ? "." : folder, code);
  const fs::path& known = code ? folder : whole;
  return known.filename().empty() ? known.string() : known.filename().string();
}

Result<ReportSource> read_source(const fs::path& card) {
  const fs::path folder = card.parent_path();
  ReportSource source;
  source.name = folder_name(folder);
  source.where = card.string();
  LLMPATCH_ASSIGN(const std::string text, read_file(card, kMaxCard, "evaluation"));
  LLMPATCH_ASSIGN(source.card, parse_json(text, source.where));
  std::error_code code;
  const fs::path responses = folder / "responses.jsonl";
  if (fs::exists(responses, code)) {
    LLMPATCH_ASSIGN(source.responses, read_file(responses, kMaxResponses, "answers"));
  }
  for (const char* place : {"metrics.jsonl", "run/metrics.jsonl"}) {
    if (!source.metrics.empty() || !fs::exists(folder / place, code)) continue;
    LLMPATCH_ASSIGN(source.metrics,
                    read_json_lines(folder / place, "learning metrics", kMaxMetrics));
  }
  return source;
}

}  // namespace

Result<std::vector<ReportSource>> read_report_sources(const std::vector<fs::path>& paths) {
  std::vector<ReportSource> sources;
  std::vector<fs::path> cards;
  for (const fs::path& path : paths) {
    std::error_code code;
    const fs::path card = fs::is_directory(path, code) ? path / "eval.json" : path;
    for (const fs::path& other : cards) {
      if (!fs::equivalent(card, other, code)) continue;
      return make_error(
          ErrorKind::kInvalidArgument, "report",
          path.string() + ": found the same evaluation twice, expected different ones");
    }
    LLMPATCH_ASSIGN(ReportSource source, read_source(card));
    sources.push_back(std::move(source));
    cards.push_back(card);
  }
  std::map<std::string, std::size_t> count;
  for (const ReportSource& source : sources) ++count[source.name];
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (count[sources[i].name] > 1) sources[i].name = paths[i].string();
  }
  return sources;
}

}  // namespace llmpatch
