// `llmpatch inspect`: what a patch says about itself, for people and for scripts.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/json.h"
#include "patch/card.h"
#include "patch/patch.h"
#include "patch/rows.h"

namespace llmpatch {

// Norms for a console, "min / median / max", and all of the statistics as JSON.
std::string norms_text(const RowStatistics& statistics);
Json norms_json(const RowStatistics& statistics);

struct PatchReport {
  Manifest manifest;
  std::size_t rows = 0;   // n
  std::size_t width = 0;  // d
  RowStatistics statistics;
  std::vector<EffectRow> effects;  // the card's headline; empty without a card
  bool is_signed = false;
  std::string signature;  // its state, for the console; whoever checked it may say more
  bool is_expired = false;
  std::string refusal;  // why a store does not let it run; empty where none objects

  Json to_json() const;         // the object of `inspect --json`
  std::string to_text() const;  // several lines for a console
};

PatchReport inspect_patch(const Patch& patch);

}  // namespace llmpatch
