// llmpatch in a program of your own: verifies safety patches and applies them to a llama_context.
//
//   auto patch = llmpatch::SafetyPatch::load("refuse.llmpatch", {.keys = {"vendor.pub"}});
//   auto base = llmpatch::BaseModel::open("model.gguf");
//   auto stack = llmpatch::PatchStack::make(*base, {*patch});
//   auto prefix = llmpatch::apply(context, *stack, 0);  // tokens follow at prefix->next
//
// each of them a Result to be looked at first. examples/find_package has the whole program,
// docs/library.md the tour. The headers, in the order to read them:
//
//   result.h      how failures come back
//   patch.h       load and verify a patch
//   base_model.h  which model it is for (with identity.h)
//   stack.h       what may run together (with compose.h)
//   apply.h       put it before the prompts of a context
//   version.h     what is running
#pragma once

#include "llmpatch/apply.h"
#include "llmpatch/base_model.h"
#include "llmpatch/compose.h"
#include "llmpatch/identity.h"
#include "llmpatch/patch.h"
#include "llmpatch/result.h"
#include "llmpatch/stack.h"
#include "llmpatch/version.h"
