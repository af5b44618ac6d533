#include "trust/bundle.h"

#include <functional>

#include "base/base64.h"
#include "base/json.h"
#include "trust/certificate.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

Bundle key_bundle() {
  Bundle bundle;
  bundle.hint = bundle.keyid = std::string(64, 'a');
  bundle.payload = "{}";
  bundle.signature = "signature";
  return bundle;
}

Bundle certificate_bundle() {
  Bundle bundle;
  bundle.certificates = {"leaf", "root"};
  bundle.payload = "{}";
  bundle.signature = "signature";
  return bundle;
}

// parse_bundle of a bundle with one thing changed.
Result<Bundle> changed(const std::function<void(Json&)>& change, Bundle bundle = key_bundle()) {
  Json json = Json::parse(bundle_to_json(bundle));
  change(json);
  return parse_bundle(json.dump(), "model.sig");
}

void refuse(const std::function<void(Json&)>& change, std::string_view part) {
  expect_error(changed(change), ErrorKind::kUntrusted, part);
}

TEST(DssePae, CountsBytes) {
  EXPECT_EQ(dsse_pae("{}"), "DSSEv1 28 application/vnd.in-toto+json 2 {}");
  EXPECT_EQ(dsse_pae("\xc3\xa4"), "DSSEv1 28 application/vnd.in-toto+json 2 \xc3\xa4");
  EXPECT_EQ(dsse_pae(""), "DSSEv1 28 application/vnd.in-toto+json 0 ");
}

TEST(Bundle, ComesBackFromItsText) {
  for (const Bundle& bundle : {key_bundle(), certificate_bundle()}) {
    const auto read = parse_bundle(bundle_to_json(bundle), "model.sig");
    ASSERT_TRUE(read.ok()) << read.error().to_string();
    EXPECT_EQ(*read, bundle);
  }
}

TEST(Bundle, WhatMayBeLeftOut) {
  EXPECT_TRUE(changed([](Json& j) { j["verificationMaterial"].erase("tlogEntries"); }).ok());
  const auto unnamed = changed([](Json& j) {
    j["verificationMaterial"]["publicKey"].erase("hint");
    j["dsseEnvelope"]["signatures"][0].erase("keyid");
  });
  ASSERT_TRUE(unnamed.ok()) << unnamed.error().to_string();
  EXPECT_EQ(unnamed->hint, "");
  EXPECT_TRUE(changed([](Json& j) { j["dsseEnvelope"]["signatures"][0]["keyid"] = ""; }).ok());
}

TEST(Bundle, AnUnknownMemberIsRefusedWhereverItStands) {
  refuse([](Json& j) { j["extra"] = 1; }, "extra");
  refuse([](Json& j) { j["verificationMaterial"]["extra"] = 1; }, "extra");
  refuse([](Json& j) { j["verificationMaterial"]["publicKey"]["extra"] = 1; }, "extra");
  refuse([](Json& j) { j["dsseEnvelope"]["extra"] = 1; }, "extra");
  refuse([](Json& j) { j["dsseEnvelope"]["signatures"][0]["extra"] = 1; }, "extra");
  expect_error(changed([](Json& j) { j["verificationMaterial"]["x509CertificateChain"]["x"] = 1; },
                       certificate_bundle()),
               ErrorKind::kUntrusted, "unknown member");
  refuse([](Json& j) { j["messageSignature"] = Json::object(); }, "messageSignature");
}

TEST(Bundle, AMissingMemberIsRefused) {
  for (const char* key : {"mediaType", "verificationMaterial", "dsseEnvelope"}) {
    refuse([&](Json& j) { j.erase(key); }, key);
  }
  for (const char* key : {"payload", "payloadType", "signatures"}) {
    refuse([&](Json& j) { j["dsseEnvelope"].erase(key); }, key);
  }
  refuse([](Json& j) { j["verificationMaterial"].erase("publicKey"); }, "one of");
  refuse([](Json& j) { j["dsseEnvelope"]["signatures"][0].erase("sig"); }, "sig");
}

TEST(Bundle, OtherTypesAreRefused) {
  refuse([](Json& j) { j["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.2+json"; },
         "bundle.v0.3");
  refuse([](Json& j) { j["mediaType"] = 3; }, "mediaType");
  refuse([](Json& j) { j["dsseEnvelope"]["payloadType"] = "text/plain"; }, "in-toto");
  refuse([](Json& j) { j = Json::array({j}); }, "expected an object");
}

TEST(Bundle, ExactlyOneSignatureBySomebodyNamedOnce) {
  refuse([](Json& j) { j["dsseEnvelope"]["signatures"] = Json::array(); }, "found 0");
  refuse(
      [](Json& j) {
        auto& signatures = j["dsseEnvelope"]["signatures"];
        signatures.push_back(Json(signatures[0]));
      },
      "found 2");
  refuse([](Json& j) { j["dsseEnvelope"]["signatures"][0]["keyid"] = "somebody else"; }, "keyid");
  refuse(
      [](Json& j) {
        j["verificationMaterial"]["x509CertificateChain"]["certificates"] = {
            {{"rawBytes", "AA=="}}};
      },
      "one of");
  refuse([](Json& j) { j["verificationMaterial"]["tlogEntries"].push_back(Json::object()); },
         "tlogEntries");
}

TEST(Bundle, AKeylessSignatureCannotBeChecked) {
  expect_error(changed([](Json& j) {
                 j["verificationMaterial"].erase("publicKey");
                 j["verificationMaterial"]["certificate"] = {{"rawBytes", "AA=="}};
               }),
               ErrorKind::kUnverifiable, "keyless");
}

TEST(Bundle, TheChainIsLimited) {
  const auto with = [](std::size_t count) {
    return changed(
        [&](Json& j) {
          j["verificationMaterial"]["x509CertificateChain"]["certificates"] =
              Json::array_t(count, {{"rawBytes", "AA=="}});
        },
        certificate_bundle());
  };
  EXPECT_TRUE(with(kMaxChain).ok());
  expect_error(with(kMaxChain + 1), ErrorKind::kUntrusted, "9 certificates");
  expect_error(with(0), ErrorKind::kUntrusted, "0 certificates");
}

TEST(Bundle, Base64IsStrict) {
  for (const char* text : {"", "AA", "A A=", "AB=="}) {
    refuse([&](Json& j) { j["dsseEnvelope"]["payload"] = text; }, "base64");
    refuse([&](Json& j) { j["dsseEnvelope"]["signatures"][0]["sig"] = text; }, "base64");
  }
  refuse(
      [](Json& j) {
        j["dsseEnvelope"]["signatures"][0]["sig"] = base64_encode(std::string(257, 'x'));
      },
      "too long");
}

TEST(Bundle, TextThatIsNoneIsRefused) {
  const std::string good = bundle_to_json(key_bundle());
  for (std::size_t size = 0; size + 2 < good.size(); ++size) {
    EXPECT_EQ(parse_bundle(good.substr(0, size), "model.sig").error().kind, ErrorKind::kUntrusted);
  }
  expect_error(parse_bundle("{\"mediaType\": 1, \"mediaType\": 2}", "model.sig"),
               ErrorKind::kUntrusted, "duplicate key");
  expect_error(parse_bundle(good + "x", "model.sig"), ErrorKind::kUntrusted, "model.sig");
  expect_error(parse_bundle(std::string(1000000, '['), "model.sig"), ErrorKind::kUntrusted,
               "nested");
  expect_error(parse_bundle("\xff\xfe", "model.sig"), ErrorKind::kUntrusted, "model.sig");
  expect_error(parse_bundle("\xEF\xBB\xBF" + good, "model.sig"), ErrorKind::kUntrusted,
               "byte order mark");
}

}  // namespace
}  // namespace llmpatch
