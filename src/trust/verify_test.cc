#include "trust/verify.h"

#include <functional>

#include "base/base64.h"
#include "base/json.h"
#include "base/sha256.h"
#include "patch/archive.h"
#include "trust/bundle.h"
#include "trust/statement.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// A signed patch in memory, and whom its maker asks to be believed.
class SignedPatch : public testing::Test {
 protected:
  SignedPatch() { sign_with(key_); }

  void sign_with(const openssl::Key& key, std::vector<Certificate> chain = {}) {
    const SigningKey signing_key{private_key(key), std::move(chain)};
    files_[kSignatureFile] = sign_files(files_, "refuse", signing_key).value();
  }
  // Signs `statement` with the maker's key, whatever it says.
  void sign_statement(const std::string& statement) {
    Bundle bundle;
    bundle.hint = private_key(key_).public_key().hint();
    bundle.payload = statement;
    bundle.signature = raw_signature(key_, EVP_sha256(), dsse_pae(statement));
    files_[kSignatureFile] = bundle_to_json(bundle);
  }
  void change_bundle(const std::function<void(Json&)>& change) {
    Json json = Json::parse(files_[kSignatureFile]);
    change(json);
    files_[kSignatureFile] = json.dump();
  }
  static Trust trust_in(const openssl::Key& key) {
    Trust trust;
    trust.keys.push_back(private_key(key).public_key());
    return trust;
  }

  Result<VerifiedFiles> verify() { return verify_files(files_, trust_in(key_), "p", kTestTime); }
  void refuse(std::string_view part) { expect_error(verify(), ErrorKind::kUntrusted, part); }

  const openssl::Key key_ = new_key("P-256");
  PatchFiles files_ = small_files();
};

TEST_F(SignedPatch, Verifies) {
  const auto verified = verify();
  ASSERT_TRUE(verified.ok()) << verified.error().to_string();
  EXPECT_EQ(verified->files, files_);
  EXPECT_EQ(verified->root_digest, root_digest(file_digests(files_)));
  EXPECT_EQ(verified->signer.key, sha256_hex(public_pem(key_)));
  EXPECT_EQ(verified->signer.to_string(), "key " + sha256_hex(public_pem(key_)));
}

TEST_F(SignedPatch, AnyByteOfAnyFileCounts) {
  const PatchFiles good = files_;
  ASSERT_EQ(good.size(), 6u);
  for (const auto& [name, bytes] : good) {
    if (name == kSignatureFile) continue;
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      files_ = good;
      files_[name][at] = static_cast<char>(files_[name][at] ^ 1);
      refuse(name + ": found sha256");
    }
    files_ = good;
    files_[name] += "\n";
    refuse(name + ": found sha256");
  }
}

TEST_F(SignedPatch, NoFileMoreAndNoneLess) {
  const PatchFiles good = files_;
  for (const auto& [name, bytes] : good) {
    if (name == kSignatureFile) continue;
    files_ = good;
    files_.erase(name);
    refuse("which is signed");
  }
  for (const char* name : {".gitattributes", ".git", "extra.txt"}) {
    files_ = good;
    files_[name] = "";
    refuse("which is not signed");
  }
  files_ = good;
  std::swap(files_[kReadmeFile], files_[kCardFile]);
  refuse("found sha256");
}

TEST_F(SignedPatch, AnUnsignedOneIsNotValid) {
  files_.erase(kSignatureFile);
  refuse("found no model.sig");
}

TEST_F(SignedPatch, AnotherKeyIsNamedAndRefused) {
  const openssl::Key other = new_key("P-256");
  sign_with(other);
  refuse("found a signature by key \"" + sha256_hex(public_pem(other)) + "\", expected one by " +
         sha256_hex(public_pem(key_)));
  // A hint is a claim, not a proof.
  change_bundle([&](Json& j) {
    j["verificationMaterial"]["publicKey"]["hint"] = sha256_hex(public_pem(key_));
    j["dsseEnvelope"]["signatures"][0]["keyid"] = "";
  });
  refuse("does not hold under key");
  change_bundle([](Json& j) { j["verificationMaterial"]["publicKey"].erase("hint"); });
  refuse("an unnamed key");
}

TEST_F(SignedPatch, OneOfSeveralKeysIsEnough) {
  Trust trust = trust_in(new_key("P-256"));
  trust.keys.push_back(private_key(key_).public_key());
  EXPECT_TRUE(verify_files(files_, trust, "p", kTestTime).ok());
  change_bundle([](Json& j) {
    j["verificationMaterial"]["publicKey"].erase("hint");
    j["dsseEnvelope"]["signatures"][0].erase("keyid");
  });
  EXPECT_TRUE(verify_files(files_, trust, "p", kTestTime).ok());
}

TEST_F(SignedPatch, WithoutAnyKeyItCannotBeChecked) {
  expect_error(verify_files(files_, {}, "p", kTestTime), ErrorKind::kUnverifiable, "no key");
  Trust roots;
  roots.roots.push_back(issue(authority("root")).certificate);
  expect_error(verify_files(files_, roots, "p", kTestTime), ErrorKind::kUnverifiable, "no key");
}

TEST_F(SignedPatch, TheHashIsThatOfTheCurve) {
  const openssl::Key p384 = new_key("P-384");
  sign_with(p384);
  EXPECT_TRUE(verify_files(files_, trust_in(p384), "p", kTestTime).ok());
  Bundle bundle = parse_bundle(files_[kSignatureFile], "p").value();
  bundle.signature = raw_signature(p384, EVP_sha256(), dsse_pae(bundle.payload));
  files_[kSignatureFile] = bundle_to_json(bundle);
  expect_error(verify_files(files_, trust_in(p384), "p", kTestTime), ErrorKind::kUntrusted,
               "does not hold");
}

TEST_F(SignedPatch, ASignatureOverTheBarePayloadOrAnotherEncodingIsRefused) {
  Bundle bundle = parse_bundle(files_[kSignatureFile], "p").value();
  const std::string buggy = "DSSEV1 28 b'application/vnd.in-toto+json' " +
                            std::to_string(bundle.payload.size()) + " b'" + bundle.payload + "'";
  for (const std::string& message : {bundle.payload, buggy, "x" + dsse_pae(bundle.payload)}) {
    bundle.signature = raw_signature(key_, EVP_sha256(), message);
    files_[kSignatureFile] = bundle_to_json(bundle);
    refuse("does not hold");
  }
}

TEST_F(SignedPatch, AChangedStatementOrSignatureIsRefused) {
  const Bundle good = parse_bundle(files_[kSignatureFile], "p").value();
  for (std::size_t i = 0; i < good.payload.size(); i += 7) {
    Bundle bundle = good;
    bundle.payload[i] = static_cast<char>(bundle.payload[i] ^ 1);
    files_[kSignatureFile] = bundle_to_json(bundle);
    refuse("does not hold");
  }
  for (std::size_t i = 0; i < good.signature.size(); ++i) {
    Bundle bundle = good;
    bundle.signature[i] = static_cast<char>(bundle.signature[i] ^ 1);
    files_[kSignatureFile] = bundle_to_json(bundle);
    refuse("does not hold");
  }
}

TEST_F(SignedPatch, AWellSignedStatementMustStillBeRight) {
  const std::string good = statement_to_json("refuse", file_digests(files_));
  sign_statement(good);
  ASSERT_TRUE(verify().ok());
  const auto sign_changed = [&](const std::function<void(Json&)>& change) {
    Json json = Json::parse(good);
    change(json);
    sign_statement(json.dump());
  };
  sign_changed([](Json& j) { j["predicateType"] = "https://model_signing/Digests/v0.1"; });
  refuse("predicateType");
  sign_changed([](Json& j) { j["subject"][0]["digest"]["sha256"] = std::string(64, '1'); });
  refuse("root digest");
  sign_changed([](Json& j) { j["predicate"]["comment"] = ""; });
  refuse("unknown member");
  sign_statement("");
  refuse("base64");
  sign_statement("hello");
  refuse("model.sig");
  sign_statement(statement_to_json("refuse", {{"../escape", std::string(64, '0')}}));
  refuse("escape");
}

TEST_F(SignedPatch, TheSignatureOfAnotherPatchIsRefused) {
  const std::string signature = files_[kSignatureFile];
  Patch other = small_patch();
  other.manifest.version = "1.2.4";
  files_ = patch_to_files(other).value();
  files_[kSignatureFile] = signature;
  refuse("found sha256");
}

TEST_F(SignedPatch, CertificatesAreCheckedAsOfNow) {
  const Identity root = issue(authority("root"));
  const Identity leaf = issue({}, &root);
  sign_with(leaf.key, {leaf.certificate, root.certificate});
  Trust trust;
  trust.roots.push_back(root.certificate);
  const auto verified = verify_files(files_, trust, "p", kTestTime);
  ASSERT_TRUE(verified.ok()) << verified.error().to_string();
  EXPECT_EQ(verified->signer.subject, "\"CN=leaf\"");
  EXPECT_EQ(verified->signer.root, root.certificate.fingerprint());
  expect_error(verify_files(files_, trust, "p", kTestTime + 2 * kDay), ErrorKind::kUntrusted,
               "expired");
  expect_error(verify_files(files_, trust_in(key_), "p", kTestTime), ErrorKind::kUnverifiable,
               "no root certificate");

  // The certificate of one and the signature of another.
  Bundle bundle = parse_bundle(files_[kSignatureFile], "p").value();
  bundle.keyid.clear();
  bundle.signature = raw_signature(key_, EVP_sha256(), dsse_pae(bundle.payload));
  files_[kSignatureFile] = bundle_to_json(bundle);
  expect_error(verify_files(files_, trust, "p", kTestTime), ErrorKind::kUntrusted, "does not hold");
  bundle.keyid = std::string(64, '0');
  files_[kSignatureFile] = bundle_to_json(bundle);
  expect_error(verify_files(files_, trust, "p", kTestTime), ErrorKind::kUntrusted, "keyid");
  bundle.certificates.front() = "junk";
  files_[kSignatureFile] = bundle_to_json(bundle);
  expect_error(verify_files(files_, trust, "p", kTestTime), ErrorKind::kUntrusted,
               "no certificate");
}

TEST_F(SignedPatch, RulesDecideWhoMaySignWhat) {
  Trust trust = trust_in(key_);
  const std::string hint = sha256_hex(public_pem(key_));
  trust.rules = {{{"ref*"}, {hint}}};
  EXPECT_TRUE(verify_files(files_, trust, "p", kTestTime).ok());
  trust.rules = {{{"gender"}, {hint}}, {{"refuse"}, {std::string(64, '0')}}};
  expect_error(verify_files(files_, trust, "p", kTestTime), ErrorKind::kUntrusted, "no rule");
  trust.rules.emplace();
  expect_error(verify_files(files_, trust, "p", kTestTime), ErrorKind::kUntrusted, "no rule");
}

TEST_F(SignedPatch, TheSignerIsShownWithoutBeingBelieved) {
  EXPECT_EQ(claimed_signer(files_, "p").value(), "key \"" + sha256_hex(public_pem(key_)) + "\"");
  files_[kSignatureFile] = "{}";
  expect_error(claimed_signer(files_, "p"), ErrorKind::kUntrusted, "mediaType");
}

// The same on disk, where there is more to get wrong.
class SignedDirectory : public SignedPatch {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_patch_directory(files_, path_, Overwrite::kNo).ok());
    ASSERT_TRUE(verify_disk().ok());
  }
  Result<VerifiedFiles> verify_disk() { return verify_patch(path_, trust_in(key_), kTestTime); }
  void refuse_disk(std::string_view part) {
    expect_error(verify_disk(), ErrorKind::kUntrusted, part);
  }

  TestDirectory directory_;
  const fs::path path_ = directory_ / "refuse";
};

TEST_F(SignedDirectory, NothingElseMayLieThere) {
  for (const char* name : {".gitattributes", ".gitignore", "model.sig.bak", "run.sh"}) {
    write_raw(path_ / name, "");
    refuse_disk(name);
    fs::remove(path_ / name);
  }
  for (const char* name : {".git", "sub", "__pycache__"}) {
    fs::create_directory(path_ / name);
    refuse_disk(name);
    fs::remove(path_ / name);
  }
  EXPECT_TRUE(verify_disk().ok());
}

TEST_F(SignedDirectory, ALinkIsRefusedEvenToTheSameBytes) {
  for (const char* name : {kRowsFile, kSignatureFile}) {
    fs::rename(path_ / name, directory_ / "elsewhere");
    fs::create_symlink(directory_ / "elsewhere", path_ / name);
    refuse_disk(name);
    fs::remove(path_ / name);
    fs::rename(directory_ / "elsewhere", path_ / name);
  }
  EXPECT_TRUE(verify_disk().ok());
}

TEST_F(SignedDirectory, AFileThatHasGoneIsMissed) {
  fs::remove(path_ / kCardFile);
  refuse_disk("eval.json");
}

TEST_F(SignedDirectory, AnArchiveOfItIsVerifiedTheSameWay) {
  const fs::path archive = directory_ / "refuse-1.2.3.llmpatch";
  ASSERT_TRUE(pack_patch(path_, archive, Overwrite::kNo).ok());
  const auto verified = verify_patch(archive, trust_in(key_), kTestTime);
  ASSERT_TRUE(verified.ok()) << verified.error().to_string();
  EXPECT_EQ(verified->root_digest, verify_disk()->root_digest);

  PatchFiles changed = files_;
  changed[kReadmeFile] += "!";
  write_raw(archive, pack_files(changed).value());
  expect_error(verify_patch(archive, trust_in(key_), kTestTime), ErrorKind::kUntrusted,
               "README.md");
  write_raw(archive, "junk");
  expect_error(verify_patch(archive, trust_in(key_), kTestTime), ErrorKind::kUntrusted, "tar");
  expect_error(unpack_signed_files("junk", "a patch"), ErrorKind::kUntrusted, "tar");
}

TEST_F(SignedDirectory, WhatIsNotThereIsNotFound) {
  expect_error(verify_patch(directory_ / "gone", trust_in(key_), kTestTime), ErrorKind::kNotFound,
               "gone");
}

}  // namespace
}  // namespace llmpatch
