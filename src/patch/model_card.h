// README.md: a Hugging Face model card, made from what the patch says elsewhere.
#pragma once

#include <string>

#include "patch/patch.h"

namespace llmpatch {

// The bytes of README.md: front matter (library_name: peft, base_model, license, tags), what the
// patch is for, the effect table when there is a card, how to use it. Deterministic.
std::string model_card(const Patch& patch);

}  // namespace llmpatch
