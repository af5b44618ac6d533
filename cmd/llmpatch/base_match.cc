#include "base_match.h"

#include <cstdio>

#include "base/quote.h"
#include "gguf/gguf_file.h"
#include "gguf/identity.h"
#include "patch/inspect.h"
#include "runtime/model.h"
#include "runtime/row_neighbours.h"

namespace llmpatch {
namespace {

constexpr std::size_t kNearest = 4;      // tokens named for each row
constexpr std::size_t kShownRows = 100;  // of a longer prefix JSON has them all

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

}  // namespace

Result<IdentityMatch> match_base(const Patch& patch, const std::filesystem::path& model) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(model));
  return match_identity(patch.manifest.base, file);
}

Result<RowsOnModel> rows_on_model(const Patch& patch, const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const auto model, Model::load(path));
  LLMPATCH_ASSIGN(const RowNeighbours found, find_neighbours(*model, patch.rows, kNearest));
  RowsOnModel shown;
  shown.text = "norms     rows " + norms_text(found.rows) + ", the model's embeddings " +
               norms_text(found.table) + " (min / median / max)\n";
  Json rows = Json::array();
  for (std::size_t i = 0; i < found.nearest.size(); ++i) {
    Json tokens = Json::array();
    std::string line;
    for (const NearToken& near : found.nearest[i]) {
      const std::string text = quote(model->text({&near.token, 1}, /*special=*/true));
      tokens.push_back({{"token", near.token}, {"text", text}, {"cosine", near.cosine}});
      line += "  " + text + " " + two_digits(near.cosine);
    }
    rows.push_back(std::move(tokens));
    if (i < kShownRows) shown.text += "row " + std::to_string(i) + ":" + line + "\n";
  }
  if (found.nearest.size() > kShownRows) {
    shown.text +=
        "... and " + std::to_string(found.nearest.size() - kShownRows) + " more rows (--json)\n";
  }
  shown.json = {{"embeddings", norms_json(found.table)}, {"far", found.far()}, {"nearest", rows}};
  if (found.far()) {
    shown.warning = "rows: found them far off the model's embeddings (norms " +
                    norms_text(found.rows) + " against " + norms_text(found.table) +
                    "), as no learned prefix should be: do not trust this patch";
  }
  return shown;
}

}  // namespace llmpatch
