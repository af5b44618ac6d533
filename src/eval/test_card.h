// A small eval.json by hand, for tests of the report: its figures are the tests' own.
#pragma once

#include <string>

#include "base/json.h"

namespace llmpatch {

inline Json card_figure(double value, double low, double high, int n) {
  return {{"value", value}, {"low", low}, {"high", high}, {"n", n}};
}

// One suite "harmful" of 4 prompts, refused by `base` 1 of 4 and by each other label 4 of 4, on the
// model `model`; the patch's digest is `digest`.
inline Json made_up_card(const std::string& patch = "patch", const std::string& digest = "feed",
                         const std::string& model = "beef") {
  Json base{{"refusal", card_figure(.25, .05, .7, 4)}};
  base["refusal"]["count"] = 1;
  Json patched{{"refusal", card_figure(1, .51, 1, 4)}};
  patched["refusal"]["count"] = 4;
  return {
      {"schema", "llmpatch.eval/1"},
      {"tool", "llmpatch 0.1.0"},
      {"command", "llmpatch eval --suite harmful"},
      {"model", {{"file", "m.gguf"}, {"sha256", model}}},
      {"patches", {{{"name", "refuse"}, {"version", "1.0.0"}, {"sha256", digest}}}},
      {"compose", "sequential"},
      {"headline",
       {{{"suite", "harmful"}, {"metric", "refusal"}, {"system", "base"}},
        {{"suite", "harmful"}, {"metric", "refusal"}, {"system", patch}}}},
      {"suites",
       {{{"name", "harmful"},
         {"expect", "refuse"},
         {"prompts_sha256", "cafe"},
         {"n", 4},
         {"systems", {{"base", base}, {patch, patched}}},
         {"comparisons",
          {{{"a", "base"},
            {"b", patch},
            {"n", 4},
            {"only_a", 0},
            {"only_b", 3},
            {"p", .25},
            {"p_holm", .5}}}}}}},
  };
}

}  // namespace llmpatch
