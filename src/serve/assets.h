// The files that are built into the program: the page, what it loads, and the description of the
// API. Internal to serve/.
#pragma once

#include <span>
#include <string_view>

namespace llmpatch {

struct Asset {
  std::string_view name;  // "index.html"
  std::string_view type;  // for Content-Type
  std::string_view bytes;
};

std::span<const Asset> assets();

}  // namespace llmpatch
