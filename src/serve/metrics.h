// What the server counts, in Prometheus' form (docs/api.md has the names). Internal to serve/.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/serving_engine.h"
#include "serve/keys.h"
#include "serve/patch_table.h"

namespace llmpatch {

// Thread-safe, and never waits for more than another thread's count.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  void count_answer(std::string_view endpoint, int status);
  void count_reload(bool done);
  void count_update(bool done);
  // Of an answer behind these patches ("name@version"; none: "none"), once for each.
  void count_verdict(std::string_view judge, const std::vector<std::string>& patches,
                     const char* verdict);
  // An answer of the engine behind `stack` (ResolvedStack::header). `seconds`: from the request's
  // arrival to its end.
  void count_completion(const std::string& stack, const ServingUsage& usage, double seconds);
  // What counts seconds between two pieces of a choice of such an answer, for each of which naming
  // the stack would take too long. Thread-safe; not to be called after this is gone.
  std::function<void(double seconds)> gap_observer(const std::string& stack);

  // What is measured when it is asked for.
  struct Now {
    ServingStats engine;
    int cells = 0;
    std::size_t connections = 0;
    bool ready = false;
    std::shared_ptr<const PatchTable> table;
    const ApiKey* key = nullptr;  // that asks: patches it may not run are left out; null: none are
    bool audit_failing = false;
  };
  // The text of GET /metrics.
  std::string text(const Now& now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
