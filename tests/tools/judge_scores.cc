// judge_scores JUDGE [DATA]: scores the items on standard input, JSON lines {"prompt", "response"},
// and prints a JSON line {"score", "given"} each. For tests.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "judge/judge.h"

namespace llmpatch {
namespace {

Status run(const std::string& name, const std::string& data) {
  JudgeOptions options;
  options.data = data;
  LLMPATCH_ASSIGN(const auto judge, make_judge(name, options));
  std::vector<JudgeItem> items;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string where = "line " + std::to_string(items.size() + 1);
    LLMPATCH_ASSIGN(const Json json, parse_json(line, where));
    JudgeItem item;
    LLMPATCH_ASSIGN(item.prompt, json_string(json, "prompt", where));
    LLMPATCH_ASSIGN(item.response, json_string(json, "response", where));
    items.push_back(std::move(item));
  }
  LLMPATCH_ASSIGN(const auto verdicts, judge->verdicts(items));
  for (const Verdict& verdict : verdicts) {
    std::cout << json_line(Json{{"score", verdict.score}, {"given", verdict.given}}) << "\n";
  }
  return {};
}

}  // namespace
}  // namespace llmpatch

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fputs("usage: judge_scores JUDGE [DATA]\n", stderr);
    return 2;
  }
  const auto status = llmpatch::run(argv[1], argc == 3 ? argv[2] : "data");
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.error().to_string().c_str());
  return 1;
}
