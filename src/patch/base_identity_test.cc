#include "patch/base_identity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace llmpatch {
namespace {

BaseIdentity small_identity() {
  BaseIdentity identity;
  identity.name = "Tiny Model";
  identity.architecture = "llama";
  identity.file = std::string(64, '1');
  identity.shapes = std::string(64, '2');
  identity.tokenizer = std::string(64, '3');
  identity.vectors = std::string(64, '4');
  identity.sample = {{"q4_1", std::string("\x00\x7f\x80\xff", 4)}, {"f32", "\x01"}};
  return identity;
}

TEST(BaseIdentity, IsWrittenAsDocumented) {
  const Json json = base_identity_to_json(small_identity());
  EXPECT_EQ(json["name"], "Tiny Model");
  EXPECT_EQ(json["architecture"], "llama");
  EXPECT_EQ(json["file"], std::string(64, '1'));
  EXPECT_EQ(json["sample"]["rule"], 1);
  EXPECT_EQ(json["sample"]["stretches"],
            Json::parse(R"([{"type":"q4_1","bytes":"007f80ff"},{"type":"f32","bytes":"01"}])"));
  EXPECT_EQ(json.size(), 7u);
}

TEST(BaseIdentity, SurvivesWritingAndReading) {
  BaseIdentity identity = small_identity();
  for (const std::size_t stretches : {std::size_t{0}, std::size_t{2}, kSampleStretches}) {
    identity.sample.resize(stretches, {"f32", std::string(kStretchWeights * 4, '\xab')});
    const auto read = base_identity_from_json(base_identity_to_json(identity), "test");
    ASSERT_TRUE(read.ok()) << read.error().to_string();
    EXPECT_EQ(*read, identity);
  }
}

struct BadJson {
  const char* name;
  std::function<void(Json&)> spoil;
  const char* message;  // a part of it
  ErrorKind kind = ErrorKind::kCorrupt;
};

class BadIdentity : public ::testing::TestWithParam<BadJson> {};

TEST_P(BadIdentity, IsRefused) {
  Json json = base_identity_to_json(small_identity());
  GetParam().spoil(json);
  const auto read = base_identity_from_json(json, "manifest.json");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().kind, GetParam().kind) << read.error().to_string();
  EXPECT_NE(read.error().message.find(GetParam().message), std::string::npos)
      << read.error().to_string();
  EXPECT_NE(read.error().message.find("manifest.json"), std::string::npos);
}

Json& stretch(Json& json) { return json["sample"]["stretches"][0]; }

INSTANTIATE_TEST_SUITE_P(
    , BadIdentity,
    ::testing::Values(
        BadJson{"NotAnObject", [](Json& j) { j = Json::array(); }, "expected an object"},
        BadJson{"NoName", [](Json& j) { j.erase("name"); }, "name"},
        BadJson{"LongName", [](Json& j) { j["name"] = std::string(257, 'x'); }, "name"},
        BadJson{"NameWithEscapes", [](Json& j) { j["name"] = "a\x1b[2J"; }, "\\u001b"},
        BadJson{"EmptyArchitecture", [](Json& j) { j["architecture"] = ""; }, "architecture"},
        BadJson{"ArchitectureWithSpace", [](Json& j) { j["architecture"] = "a b"; },
                "architecture"},
        BadJson{"ShortDigest", [](Json& j) { j["file"] = std::string(63, '1'); }, "file"},
        BadJson{"UpperCaseDigest", [](Json& j) { j["shapes"] = std::string(64, 'A'); }, "shapes"},
        BadJson{"DigestNumber", [](Json& j) { j["tokenizer"] = 1; }, "tokenizer"},
        BadJson{"NoVectors", [](Json& j) { j.erase("vectors"); }, "vectors"},
        BadJson{"UnknownMember", [](Json& j) { j["trusted"] = true; }, "\"trusted\""},
        BadJson{"SampleList", [](Json& j) { j["sample"] = Json::array(); }, "sample"},
        BadJson{"OtherRule", [](Json& j) { j["sample"]["rule"] = 2; }, "sample rule",
                ErrorKind::kUnsupported},
        BadJson{"UnknownSampleMember", [](Json& j) { j["sample"]["x"] = 1; }, "\"x\""},
        BadJson{"StretchesText", [](Json& j) { j["sample"]["stretches"] = "q4_1"; }, "stretches"},
        BadJson{"TooManyStretches",
                [](Json& j) {
                  Json many = Json::array();
                  for (std::size_t i = 0; i <= kSampleStretches; ++i) many.push_back(stretch(j));
                  j["sample"]["stretches"] = many;
                },
                "33 stretches"},
        BadJson{"StretchNumber", [](Json& j) { stretch(j) = 7; }, "expected an object"},
        BadJson{"NoType", [](Json& j) { stretch(j).erase("type"); }, "type"},
        BadJson{"TypeWithLineEnd", [](Json& j) { stretch(j)["type"] = "q4\n"; }, "sample type"},
        BadJson{"LongType", [](Json& j) { stretch(j)["type"] = std::string(65, 'q'); },
                "sample type"},
        BadJson{"UnknownStretchMember", [](Json& j) { stretch(j)["row"] = 1; }, "\"row\""},
        BadJson{"NoBytes", [](Json& j) { stretch(j)["bytes"] = ""; }, "0 digits"},
        BadJson{"OddDigits", [](Json& j) { stretch(j)["bytes"] = "abc"; }, "3 digits"},
        BadJson{"UpperCaseDigits", [](Json& j) { stretch(j)["bytes"] = "AB"; }, "\"AB\""},
        BadJson{"OtherDigits", [](Json& j) { stretch(j)["bytes"] = "0g"; }, "\"0g\""},
        BadJson{"TooManyBytes",
                [](Json& j) { stretch(j)["bytes"] = std::string(kStretchWeights * 8 + 2, '0'); },
                "2050 digits"}),
    [](const auto& suite) { return std::string(suite.param.name); });

TEST(MatchDigests, DecidesAllButTheWeights) {
  const BaseIdentity recorded = small_identity();
  BaseIdentity candidate = recorded;
  EXPECT_EQ(match_digests(recorded, candidate)->verdict, IdentityVerdict::kExact);

  candidate.file = std::string(64, '0');
  EXPECT_FALSE(match_digests(recorded, candidate).has_value());
  candidate.name = "Renamed";  // for people only
  EXPECT_FALSE(match_digests(recorded, candidate).has_value());

  for (std::string BaseIdentity::*member : {&BaseIdentity::architecture, &BaseIdentity::shapes,
                                            &BaseIdentity::tokenizer, &BaseIdentity::vectors}) {
    BaseIdentity other = candidate;
    other.*member = std::string(64, '9');
    const auto match = match_digests(recorded, other);
    ASSERT_TRUE(match.has_value());
    EXPECT_EQ(match->verdict, IdentityVerdict::kDifferent);
    EXPECT_FALSE(match->reason.empty());
  }
}

// A stretch as an honest requantisation to an 8-bit type leaves it.
StretchEvidence honest(const char* kind) {
  StretchEvidence evidence;
  evidence.kind = kind;
  evidence.recorded_type = "f16";
  evidence.candidate_type = "q8_0";
  evidence.power = 1;
  evidence.worst = 0.4;
  evidence.comparable = true;
  evidence.expected = 3e-5;
  return evidence;
}

std::vector<StretchEvidence> honest_model() {
  std::vector<StretchEvidence> evidence;
  for (const char* kind : {"attn_q.weight", "ffn_up.weight"}) {
    evidence.insert(evidence.end(), 4, honest(kind));
  }
  return evidence;
}

TEST(MatchWeights, AcceptsARequantisation) {
  EXPECT_EQ(match_weights(honest_model()).verdict, IdentityVerdict::kSameFamily);
}

TEST(MatchWeights, NoEvidenceIsUnconfirmed) {
  EXPECT_EQ(match_weights({}).verdict, IdentityVerdict::kUnconfirmed);
}

TEST(MatchWeights, BeyondTheBoundIsDifferent) {
  for (const double worst : {1.001, 50.0, std::nan("")}) {
    auto evidence = honest_model();
    evidence[5].worst = worst;
    const IdentityMatch match = match_weights(evidence);
    EXPECT_EQ(match.verdict, IdentityVerdict::kDifferent);
    EXPECT_NE(match.reason.find("ffn_up.weight"), std::string::npos);
  }
}

TEST(MatchWeights, ASmallChangeShowsInTheMeanSquare) {
  for (const double residual : {4e-6, 1e-3, std::nan("")}) {  // the limit is a tenth of 3e-5
    auto evidence = honest_model();
    evidence[0].residual = residual;
    const IdentityMatch match = match_weights(evidence);
    EXPECT_EQ(match.verdict, IdentityVerdict::kUnconfirmed);
    EXPECT_NE(match.reason.find("attn_q.weight"), std::string::npos);
  }
  auto evidence = honest_model();
  evidence[0].residual = 2e-6;
  EXPECT_EQ(match_weights(evidence).verdict, IdentityVerdict::kSameFamily);
}

TEST(MatchWeights, TheSameTypeMustNotDiffer) {
  auto evidence = honest_model();
  for (StretchEvidence& stretch : evidence) {
    stretch.candidate_type = "f16";
    stretch.expected = 0;
  }
  EXPECT_EQ(match_weights(evidence).verdict, IdentityVerdict::kSameFamily);
  evidence[3].residual = 1e-6;  // a change of 0.1 % of the norm
  EXPECT_EQ(match_weights(evidence).verdict, IdentityVerdict::kUnconfirmed);
}

TEST(MatchWeights, ASearchMayMissOncePerFourOfAKind) {
  auto evidence = honest_model();
  for (StretchEvidence& stretch : evidence) stretch.searched = true;
  evidence[1].residual = 1e-3;
  evidence[6].residual = 1e-3;
  EXPECT_EQ(match_weights(evidence).verdict, IdentityVerdict::kSameFamily);
  evidence[7].residual = 1e-3;
  EXPECT_EQ(match_weights(evidence).verdict, IdentityVerdict::kUnconfirmed);
  evidence.resize(7);  // now one of three
  EXPECT_EQ(match_weights(evidence).verdict, IdentityVerdict::kUnconfirmed);
}

TEST(MatchWeights, ACoarseTypeIsUnconfirmed) {
  auto evidence = honest_model();
  evidence[2].comparable = false;
  evidence[2].candidate_type = "iq2_xs";
  const IdentityMatch match = match_weights(evidence);
  EXPECT_EQ(match.verdict, IdentityVerdict::kUnconfirmed);
  EXPECT_NE(match.reason.find("iq2_xs"), std::string::npos);
  EXPECT_NE(match.reason.find("too coarse"), std::string::npos);
}

TEST(Verdicts, HaveNames) {
  EXPECT_EQ(verdict_name(IdentityVerdict::kExact), "exact");
  EXPECT_EQ(verdict_name(IdentityVerdict::kSameFamily), "same family");
  EXPECT_EQ(verdict_name(IdentityVerdict::kUnconfirmed), "unconfirmed");
  EXPECT_EQ(verdict_name(IdentityVerdict::kDifferent), "different");
}

}  // namespace
}  // namespace llmpatch
