#include "serve/patch_table.h"

#include <gtest/gtest.h>

#include "serve/api_error.h"

namespace llmpatch {
namespace {

// A table without rows: what names stand for needs none.
class PatchTableTest : public testing::Test {
 protected:
  ServedPatch& add(const char* name, const char* version, bool is_current = false) {
    auto patch = std::make_shared<ServedPatch>();
    patch->manifest.name = name;
    patch->manifest.version = version;
    patch->is_current = is_current;
    table_.patches.push_back(patch);
    return *patch;
  }
  static StackRequest asks(const std::vector<std::string>& names) {
    StackRequest request;
    request.patches.emplace();
    for (const std::string& name : names) {
      request.patches->push_back(parse_patch_reference(name).value());
    }
    return request;
  }
  static ModelId base() {
    ModelId id;
    id.is_base = true;
    return id;
  }
  std::string resolve(const StackRequest& request, const ModelId& id = base()) const {
    const auto stack = table_.resolve(request, id);
    return stack.ok() ? stack->header() : stack_error(stack.error()).code;
  }
  std::string resolve(const std::vector<std::string>& names) const { return resolve(asks(names)); }

  PatchTable table_;
};

TEST_F(PatchTableTest, FindsNamesVersionsAndRanges) {
  add("a", "2.0.0-rc.1");
  add("a", "1.10.0");
  add("a", "1.9.0", true);
  add("a", "0.9.0");
  EXPECT_EQ(resolve({"a"}), "a@1.9.0");
  EXPECT_EQ(resolve({"a@0.9.0"}), "a@0.9.0");
  EXPECT_EQ(resolve({"a@^1"}), "a@1.9.0");  // the active one: a newer one may have been rolled back
  EXPECT_EQ(resolve({"a@^1.10"}), "a@1.10.0");
  EXPECT_EQ(resolve({"a@^0.9"}), "a@0.9.0");
  EXPECT_EQ(resolve({"a@^1.10.1"}), "patch_not_found");
  EXPECT_EQ(resolve({"a@^2"}), "patch_not_found");  // of pre-releases only the asked-for
  EXPECT_EQ(resolve({"b"}), "patch_not_found");
  EXPECT_EQ(resolve(std::vector<std::string>{}), "none");
}

TEST_F(PatchTableTest, ANameWithoutAnActiveVersionIsNone) {
  add("a", "1.0.0");
  EXPECT_EQ(resolve({"a"}), "patch_not_found");
  EXPECT_EQ(resolve({"a@1.0.0"}), "a@1.0.0");
}

TEST_F(PatchTableTest, NeverRunsWithoutAPatchThatFails) {
  add("a", "1.0.0", true).error = make_error(ErrorKind::kUntrusted, "trust", "not signed");
  add("b", "1.0.0", true).error = make_error(ErrorKind::kDenied, "store", "revoked");
  add("c", "1.0.0", true).error = make_error(ErrorKind::kMismatch, "patch", "another model");
  add("d", "1.0.0", true).error = make_error(ErrorKind::kCorrupt, "patch", "damaged");
  add("fine", "1.0.0", true);
  EXPECT_EQ(resolve({"a"}), "patch_untrusted");
  EXPECT_EQ(resolve({"b"}), "patch_revoked");
  EXPECT_EQ(resolve({"c"}), "patch_mismatch");
  EXPECT_EQ(resolve({"d"}), "patch_unavailable");
  EXPECT_EQ(resolve({"fine", "a"}), "patch_untrusted");
  table_.defaults = {{"fine", "", false}, {"a", "", false}};
  EXPECT_FALSE(table_.default_stack().ok());
}

TEST_F(PatchTableTest, OfARangeTheNewestWhereTheActiveOneIsNotInIt) {
  add("a", "2.0.0", true);
  add("a", "1.1.0");
  add("a", "1.0.0");
  EXPECT_EQ(resolve({"a@^1"}), "a@1.1.0");
}

TEST_F(PatchTableTest, ARangeTakesWhatRuns) {
  add("a", "1.1.0").error = make_error(ErrorKind::kDenied, "store", "revoked");
  add("a", "1.0.0");
  EXPECT_EQ(resolve({"a@^1"}), "a@1.0.0");
  EXPECT_EQ(resolve({"a@1.1.0"}), "patch_revoked");
  EXPECT_EQ(resolve({"a@^1.1"}), "patch_revoked");
}

TEST_F(PatchTableTest, RevokedNamesAreErrorsUnlessTheOperatorSaysOtherwise) {
  add("a", "1.0.0").error = make_error(ErrorKind::kDenied, "store", "revoked");
  add("b", "1.0.0", true);
  table_.defaults = {{"a", "", false}, {"b", "", false}};
  table_.blocked.emplace("a", make_error(ErrorKind::kDenied, "store", "revoked"));
  EXPECT_EQ(resolve({}, base()), "patch_revoked");
  table_.blocked.clear();
  table_.without.emplace("a", "runs WITHOUT it");
  const auto stack = table_.default_stack();
  ASSERT_TRUE(stack.ok());
  EXPECT_EQ(stack->header(), "b@1.0.0");
  EXPECT_EQ(stack->json()["warnings"], Json::array({"runs WITHOUT it"}));
  EXPECT_EQ(resolve({"a@1.0.0"}), "patch_revoked");  // that version was asked for
}

TEST_F(PatchTableTest, RunsTheModelAloneWhereNothingIsActiveOnlyIfItMay) {
  add("a", "1.0.0");
  EXPECT_EQ(resolve({}, base()), "no_active_patch");
  EXPECT_EQ(resolve(std::vector<std::string>{}), "none");  // whoever asks is judged elsewhere
  table_.allow_unpatched = true;
  EXPECT_EQ(resolve({}, base()), "none");
  table_.defaults = {{"a", "", false}};
  EXPECT_EQ(resolve({}, base()), "patch_not_found");
}

TEST_F(PatchTableTest, OnePatchIsTheSameInEitherMode) {
  add("a", "1.0.0", true);
  StackRequest request = asks({"a"});
  request.compose = Compose::kParallel;
  EXPECT_EQ(resolve(request), "a@1.0.0");
  request = asks({});
  request.compose = Compose::kParallel;
  EXPECT_EQ(resolve(request), "none");
}

TEST_F(PatchTableTest, ComposesAsAsked) {
  add("b", "1.0.0", true);
  add("a", "1.0.0", true);
  EXPECT_EQ(resolve({"b", "a"}), "b@1.0.0+a@1.0.0");
  StackRequest request = asks({"b", "a"});
  request.compose = Compose::kParallel;
  EXPECT_EQ(resolve(request), "a@1.0.0+b@1.0.0;compose=parallel");
  table_.compose = Compose::kParallel;
  EXPECT_EQ(resolve({"b", "a"}), "a@1.0.0+b@1.0.0;compose=parallel");
  request.compose = Compose::kSequential;
  EXPECT_EQ(resolve(request), "b@1.0.0+a@1.0.0");
}

TEST_F(PatchTableTest, RefusesPatchesThatDoNotGoTogether) {
  add("a", "1.0.0", true).manifest.compose.conflicts = {"b"};
  add("b", "1.0.0", true);
  add("c", "1.0.0", true).manifest.required = {"b@^2.0.0"};
  EXPECT_EQ(resolve({"a", "b"}), "patch_conflict");
  EXPECT_EQ(resolve({"b", "b"}), "patch_conflict");
  EXPECT_EQ(resolve({"c"}), "patch_conflict");
  EXPECT_EQ(resolve({"c", "b"}), "patch_conflict");
}

TEST_F(PatchTableTest, KnowsStacksByTheirNames) {
  add("b", "1.0.0", true);
  add("a", "1.0.0", true);
  table_.stacks["safe"] = {{{"b", "", false}, {"a", "", false}}, {}};
  table_.stacks["side"] = {{{"b", "", false}, {"a", "", false}}, Compose::kParallel};
  const auto of = [&](const char* id, std::optional<Compose> compose = {}) {
    StackRequest request;
    request.compose = compose;
    return resolve(request, *parse_model_id(id, "m"));
  };
  EXPECT_EQ(of("m+safe"), "b@1.0.0+a@1.0.0");
  EXPECT_EQ(of("m+side"), "a@1.0.0+b@1.0.0;compose=parallel");
  EXPECT_EQ(of("m+side", Compose::kSequential), "b@1.0.0+a@1.0.0");
  EXPECT_EQ(of("m+safe+a"), "patch_not_found");  // a stack stands alone
  add("safe", "1.0.0", true);                    // installed later
  EXPECT_EQ(of("m+safe"), "safe@1.0.0");
}

TEST_F(PatchTableTest, ReadsAModelsId) {
  add("a", "1.0.0+build.5", true);
  add("b", "1.0.0", true);
  table_.defaults = {{"b", "", false}};
  const auto of = [&](const char* id) { return resolve({}, *parse_model_id(id, "m")); };
  EXPECT_EQ(of("m"), "b@1.0.0");
  EXPECT_EQ(of("m+a"), "a@1.0.0+build.5");
  EXPECT_EQ(of("m+a@1.0.0+build.5"), "a@1.0.0+build.5");
  EXPECT_EQ(of("m+a@1.0.0+build.5+b"), "a@1.0.0+build.5+b@1.0.0");
  EXPECT_EQ(of("m+b@1.0.0+a"), "b@1.0.0+a@1.0.0+build.5");
  EXPECT_EQ(of("m+"), "patch_not_found");
  EXPECT_EQ(of("m+A"), "patch_not_found");
  EXPECT_EQ(resolve(asks({"b"}), *parse_model_id("m+a", "m")), "patch_conflict");
}

}  // namespace
}  // namespace llmpatch
