// Which endpoint a method and a path mean. Internal to serve/.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/call.h"

namespace llmpatch {

// Whom an endpoint answers.
enum class Access { kAnybody, kApiKey, kAdmin };

// The parts of the path that the pattern leaves open, decoded.
using PathValues = std::vector<std::string>;

struct Endpoint {
  std::string method;   // "GET" answers HEAD, too
  std::string pattern;  // "/v1/models/{id}"; what is in braces is one part of any text
  Access access = Access::kAnybody;
  // Runs on a thread that may block for as long as a request takes to read; `false` for what is
  // answered at once.
  bool on_worker = true;
  std::function<void(const std::shared_ptr<ApiCall>&, const PathValues&)> run;
};

class Router {
 public:
  void add(Endpoint endpoint) { endpoints_.push_back(std::move(endpoint)); }

  struct Match {
    const Endpoint* endpoint = nullptr;  // null: none
    PathValues values;
    std::string allowed;  // methods of the path where there is no endpoint for this one; else empty
  };
  Match match(std::string_view method, std::string_view path) const;

 private:
  std::vector<Endpoint> endpoints_;
};

// A part of a path with %XX decoded. Nothing where that is no such escape, or leaves a NUL.
std::optional<std::string> decode_path_part(std::string_view part);

}  // namespace llmpatch
