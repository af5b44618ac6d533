#include "serve/assets.h"

#include <vector>

// The assembler copies the files as they are; cmake/ServeAssets.cmake lists them.
#define ASSET(number, name, path)                          \
  asm(".section .rodata\n"                                 \
      ".hidden llmpatch_asset_" #number                    \
      "_begin\n"                                           \
      ".hidden llmpatch_asset_" #number                    \
      "_end\n"                                             \
      ".global llmpatch_asset_" #number                    \
      "_begin\n"                                           \
      ".global llmpatch_asset_" #number                    \
      "_end\n"                                             \
      "llmpatch_asset_" #number                            \
      "_begin:\n"                                          \
      ".incbin \"" path                                    \
      "\"\n"                                               \
      "llmpatch_asset_" #number                            \
      "_end:\n"                                            \
      ".previous\n");                                      \
  extern "C" const char llmpatch_asset_##number##_begin[]; \
  extern "C" const char llmpatch_asset_##number##_end[];
#include LLMPATCH_SERVE_ASSETS
#undef ASSET

namespace llmpatch {
namespace {

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/json";
}

}  // namespace

std::span<const Asset> assets() {
#define ASSET(number, name, path) \
  {name, type_of(name), {llmpatch_asset_##number##_begin, llmpatch_asset_##number##_end}},
  static const std::vector<Asset> kAssets{
#include LLMPATCH_SERVE_ASSETS
  };
#undef ASSET
  return kAssets;
}

}  // namespace llmpatch
