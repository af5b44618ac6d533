#include "serve/metrics.h"

#include <gtest/gtest.h>

#include <string>

namespace llmpatch {
namespace {

// What `key` is shown; null: all.
std::string text_of(Metrics& metrics, const ApiKey* key = nullptr,
                    std::shared_ptr<const PatchTable> table = std::make_shared<PatchTable>()) {
  Metrics::Now now;
  now.table = std::move(table);
  now.key = key;
  return metrics.text(now);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Metrics, CountsByStack) {
  Metrics metrics;
  ServingUsage usage;
  usage.prompt_tokens = 5;
  usage.completion_tokens = 3;
  usage.first_token_seconds = 0.2;
  metrics.count_completion("refuse@1.0.0", usage, 1);
  metrics.count_completion("none", usage, 1);
  metrics.gap_observer("refuse@1.0.0")(0.1);
  const std::string text = text_of(metrics);
  for (const char* line : {"llmpatch_stack_requests_total{stack=\"none\"} 1\n",
                           "llmpatch_tokens_total{kind=\"prompt\",patch=\"refuse@1.0.0\"} 5\n",
                           "llmpatch_tokens_total{kind=\"generated\",patch=\"none\"} 3\n",
                           "llmpatch_time_to_first_token_seconds_count{patch=\"refuse@1.0.0\"} 1\n",
                           "llmpatch_inter_token_seconds_count{patch=\"refuse@1.0.0\"} 1\n",
                           "llmpatch_request_seconds_count 2\n"}) {
    EXPECT_TRUE(has(text, line)) << line << "in\n" << text;
  }
}

TEST(Metrics, SaysWhetherTheAuditLogFails) {
  Metrics metrics;
  Metrics::Now now;
  now.table = std::make_shared<PatchTable>();
  for (const bool failing : {false, true, false}) {
    now.audit_failing = failing;
    const std::string text = metrics.text(now);
    EXPECT_TRUE(
        has(text, failing ? "\nllmpatch_audit_failing 1\n" : "\nllmpatch_audit_failing 0\n"))
        << text;
  }
}

TEST(Metrics, HasABoundedNumberOfStacks) {
  Metrics metrics;
  for (int i = 0; i < 300; ++i) {
    metrics.gap_observer("p" + std::to_string(i) + "@1.0.0")(0.1);
  }
  const std::string text = text_of(metrics);
  EXPECT_TRUE(has(text, "llmpatch_inter_token_seconds_count{patch=\"p255@1.0.0\"} 1\n"));
  EXPECT_FALSE(has(text, "p256@1.0.0"));
  EXPECT_TRUE(has(text, "llmpatch_inter_token_seconds_count{patch=\"other\"} 44\n"));
}

TEST(Metrics, ShowsAKeyWhatItMayRun) {
  Metrics metrics;
  for (const char* stack :
       {"none", "tone@1.0.0", "tone@1.0.0+b2", "refuse@1.0.0", "tone@1.0.0+refuse@1.0.0+b3",
        "refuse@1.0.0+tone@2.0.0;compose=parallel"}) {
    metrics.count_completion(stack, {}, 1);
    metrics.gap_observer(stack)(0.1);
  }
  metrics.count_verdict("word", {"refuse@1.0.0", "tone@1.0.0"}, "safe");
  auto table = std::make_shared<PatchTable>();
  for (const char* name : {"tone", "refuse"}) {
    auto patch = std::make_shared<ServedPatch>();
    patch->manifest.name = name;
    patch->manifest.version = "1.0.0";
    patch->is_current = true;
    table->patches.push_back(std::move(patch));
  }
  ApiKey key;
  key.patches = {"tone"};
  const std::string some = text_of(metrics, &key, table);
  EXPECT_FALSE(has(some, "refuse")) << some;
  for (const char* line :
       {"llmpatch_stack_requests_total{stack=\"none\"} 1\n",
        "llmpatch_stack_requests_total{stack=\"tone@1.0.0\"} 1\n",
        "llmpatch_stack_requests_total{stack=\"tone@1.0.0+b2\"} 1\n",
        "llmpatch_judged_total{judge=\"word\",patch=\"tone@1.0.0\"",
        "llmpatch_patch_state{patch=\"tone\"", "llmpatch_request_seconds_count 6\n"}) {
    EXPECT_TRUE(has(some, line)) << line << "in\n" << some;
  }
  key.patches.reset();
  for (const std::string& all : {text_of(metrics, &key, table), text_of(metrics, nullptr, table)}) {
    EXPECT_TRUE(has(all, "stack=\"tone@1.0.0+refuse@1.0.0+b3\""));
    EXPECT_TRUE(has(all, "llmpatch_patch_state{patch=\"refuse\""));
  }
}

}  // namespace
}  // namespace llmpatch
