// What the tenants of a serving loop have from each other: turns, and nothing of their prompts.
#include "runtime/test_serving_loop.h"

namespace llmpatch {
namespace {

template <class Layout>
class Tenants : public Layout {
 protected:
  RequestId add(const char* tenant, Tokens prompt, int max_tokens) {
    ServingRequest made = this->request(std::move(prompt), max_tokens);
    made.tenant = tenant;
    return Layout::add(std::move(made));
  }
};

class TenantsTest : public Tenants<ServingLoopTest> {};
INSTANTIATE_TEST_SUITE_P(Layouts, TenantsTest, ::testing::Bool(),
                         [](const auto& layout) { return layout.param ? "Split" : "Unified"; });

TEST_P(TenantsTest, AdmitsTenantsInTurn) {
  start(1);
  const auto of = [&](const char* tenant) { return add(tenant, letters(4), 2); };
  const RequestId a1 = of("a"), a2 = of("a"), a3 = of("a"), b1 = of("b"), c1 = of("c"),
                  b2 = of("b");
  run();
  EXPECT_EQ(order_, (std::vector<RequestId>{a1, b1, c1, a2, b2, a3}));
}

TEST_P(TenantsTest, SeeNothingOfEachOthersPrompts) {
  start();
  const Tokens prompt = letters(60);
  const RequestId first = add("a", prompt, 5);
  run();
  const RequestId of_b = add("b", prompt, 5);
  run();
  const RequestId of_nobody = add("", prompt, 5);
  run();
  EXPECT_EQ(cached(of_b), 0);
  EXPECT_EQ(cached(of_nobody), 0);
  for (const char* tenant : {"a", "b", ""}) {
    const RequestId again = add(tenant, prompt, 5);
    run();
    EXPECT_EQ(cached(again), 59) << tenant;
    EXPECT_EQ(heard_[again].text, heard_[first].text);
  }
}

TEST_P(TenantsTest, SeeNothingOfEachOthersPromptsWhileTheyRun) {
  start();
  const Tokens prompt = letters(60);
  const RequestId a = add("a", prompt, 40), b = add("b", prompt, 40);
  for (int i = 0; i < 10; ++i) loop_->step();
  const RequestId again = add("b", prompt, 5), late = add("c", prompt, 5);
  run();
  EXPECT_EQ(cached(a), 0);
  EXPECT_EQ(cached(b), 0);
  EXPECT_EQ(cached(again), 59);
  EXPECT_EQ(cached(late), 0);
  EXPECT_EQ(heard_[b].text, heard_[a].text);
}

}  // namespace
}  // namespace llmpatch
