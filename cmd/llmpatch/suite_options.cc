#include "suite_options.h"

#include <optional>
#include <utility>

namespace llmpatch {

CLI::Option* SuiteOptions::declare(CLI::App& app, const std::string& option) {
  CLI::Option* const suite =
      app.add_option(option, names, "Suite by name, suite file or prompt file; repeatable");
  app.add_option("--expect", expect,
                 "What prompt files without a suite file expect: refuse or answer");
  app.add_option("--data", data, "Folder of the built-in suites' prompts")->capture_default_str();
  return suite;
}

Result<std::vector<Suite>> SuiteOptions::load() const {
  std::optional<Expect> expected;
  if (!expect.empty()) {
    LLMPATCH_ASSIGN(expected, parse_expect(expect));
  }
  std::vector<Suite> suites;
  for (const std::string& name : names) {
    LLMPATCH_ASSIGN(Suite suite, load_suite(name, data, expected));
    suites.push_back(std::move(suite));
  }
  return suites;
}

}  // namespace llmpatch
