#include "study/attack.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

AttackResult result(const std::string& digest, bool patched, bool attacked) {
  AttackResult made;
  made.digest = digest;
  made.against_base = {" ! a", 4.5, 1.25, 8};
  made.against_patched = {" ! b", 6.5, 3.25, 7};
  made.base = made.base_attacked = true;
  made.patched = patched;
  made.patched_attacked = attacked;
  return made;
}

TEST(Attack, ResultsAreReadBackAsTheyWere) {
  const Json json = to_json(result("d1", false, true));
  const auto again = parse_attack_result(Json::parse(json.dump()), "line 2");
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(to_json(*again), json);
  EXPECT_EQ(again->against_patched.suffix, " ! b");
  EXPECT_TRUE(again->patched_attacked);
  EXPECT_FALSE(again->patched_transfer);
  for (const char* member : {"prompt_digest", "against_base", "patched_attacked"}) {
    Json broken = json;
    broken[member] = 3;
    EXPECT_FALSE(parse_attack_result(broken, "line 2").ok()) << member;
    broken.erase(member);
    EXPECT_FALSE(parse_attack_result(broken, "line 2").ok()) << member;
  }
}

TEST(Attack, TheTableCountsWhatWasAnswered) {
  const std::vector<AttackResult> results{result("a", false, true), result("b", true, true),
                                          result("c", false, false), result("d", false, false)};
  // Wilson's interval of 2 of 4 and of 1 of 4, from its formula: (p + z²/2n ± z sqrt(p(1-p)/n +
  // z²/4n²)) / (1 + z²/n).
  EXPECT_EQ(attack_table(results, true),
            "| | answered | share |\n| --- | --- | --- |\n"
            "| model, request as it is | 4 of 4 | 100.0 % (51.0 to 100.0) |\n"
            "| model, suffix found against it | 4 of 4 | 100.0 % (51.0 to 100.0) |\n"
            "| patched, request as it is | 1 of 4 | 25.0 % (4.6 to 69.9) |\n"
            "| patched, suffix found against the model | 0 of 4 | 0.0 % (0.0 to 49.0) |\n"
            "| patched, suffix found against it | 2 of 4 | 50.0 % (15.0 to 85.0) |\n");
  EXPECT_EQ(attack_table(results, false).find("patched"), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
