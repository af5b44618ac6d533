#include "serve/http_tls.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <memory>

#include "base/file.h"
#include "serve/test_http_server.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class HttpTls : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    write_identity("server");
    options_.certificate = folder_ / "server.pem";
    options_.key = folder_ / "server.key";
  }
  void TearDown() override { fs::remove_all(folder_); }

  // NAME.pem and NAME.key.
  void write_identity(const std::string& name) {
    const Identity identity = issue({});
    const openssl::Bio bio = openssl::memory_writer();
    ASSERT_EQ(PEM_write_bio_X509(bio.get(), identity.certificate.handle()), 1);
    ASSERT_TRUE(
        write_file_atomic(folder_ / (name + ".pem"), openssl::written(bio), Overwrite::kNo).ok());
    ASSERT_TRUE(
        write_file_atomic(folder_ / (name + ".key"), private_pem(identity.key), Overwrite::kNo)
            .ok());
  }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) / ("llmpatch-tls-" + std::to_string(::getpid()));
  HttpServerOptions options_;
};

// A client's TLS over the socket of a TestClient, which it does not own.
class TlsClient {
 public:
  TlsClient(const TestClient& client, int newest = 0)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_max_proto_version(context_.get(), newest);
    // Otherwise OpenSSL itself refuses what is old, and not the server.
    SSL_CTX_set_cipher_list(context_.get(), "DEFAULT@SECLEVEL=0");
    ssl_.reset(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(ssl_.get(), client.socket());
  }
  bool connect() { return SSL_connect(ssl_.get()) == 1; }
  bool send(std::string_view text) {
    return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) ==
           static_cast<int>(text.size());
  }
  // What comes up to and with `mark`, or to the end.
  std::string read_until(std::string_view mark) {
    std::string text;
    char bytes[4096];
    while (text.find(mark) == std::string::npos) {
      const int size = SSL_read(ssl_.get(), bytes, sizeof bytes);
      if (size <= 0) break;
      text.append(bytes, static_cast<std::size_t>(size));
    }
    return text;
  }
  // Whether the server ended with TLS's own farewell; waits for it.
  bool said_farewell() {
    char byte;
    while (SSL_read(ssl_.get(), &byte, 1) > 0) {
    }
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  int version() const { return SSL_version(ssl_.get()); }
  void end_sending() { SSL_shutdown(ssl_.get()); }

 private:
  std::shared_ptr<SSL_CTX> context_;
  std::shared_ptr<SSL> ssl_;
};

TEST_F(HttpTls, AnswersWithinTls) {
  TestServer server(options_);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TestClient client = server.connect();
    TlsClient tls(client, version);
    ASSERT_TRUE(tls.connect());
    EXPECT_EQ(tls.version(), version);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(tls.send(get("/path")));
      EXPECT_NE(tls.read_until("GET /path  ").find("HTTP/1.1 200 OK"), std::string::npos);
    }
    ASSERT_TRUE(tls.send(get("/last", "Connection: close\r\n")));
    EXPECT_NE(tls.read_until("GET /last  ").find("200 OK"), std::string::npos);
    EXPECT_TRUE(tls.said_farewell());
  }
}

TEST_F(HttpTls, StreamsLargeAnswers) {
  TestServer server(options_);
  const TestClient client = server.connect();
  TlsClient tls(client);
  ASSERT_TRUE(tls.connect());
  ASSERT_TRUE(tls.send(get("/hold")));
  const auto exchange = server.held();
  exchange->begin(200, {});
  exchange->write(std::string(1 << 20, 'x'));
  exchange->write("the end");
  exchange->end();
  EXPECT_GT(tls.read_until("the end\r\n0\r\n\r\n").size(), 1u << 20);
}

TEST_F(HttpTls, NoticesAClientThatLeaves) {
  TestServer server(options_);
  for (const bool farewell : {false, true}) {
    TestClient client = server.connect();
    TlsClient tls(client);
    ASSERT_TRUE(tls.connect());
    ASSERT_TRUE(tls.send(get("/hold")));
    const auto exchange = server.held();
    Event gone;
    exchange->on_gone([&] { gone.happen(); });
    if (farewell) tls.end_sending();
    client.close();
    EXPECT_TRUE(gone.wait()) << farewell;
  }
}

TEST_F(HttpTls, SpeaksNothingElse) {
  TestServer server(options_);
  TestClient plain = server.connect();
  ASSERT_TRUE(plain.send(get("/")));
  EXPECT_EQ(plain.read_to_end().find("HTTP/1.1"), std::string::npos);

  TestClient garbage = server.connect();
  ASSERT_TRUE(garbage.send(std::string("\x16\x03\x01\xff\xff garbage") + std::string(4096, 'x')));
  EXPECT_TRUE(garbage.at_end());

  const TestClient old = server.connect();
  EXPECT_FALSE(TlsClient(old, TLS1_1_VERSION).connect());

  const TestClient good = server.connect();
  TlsClient tls(good);
  ASSERT_TRUE(tls.connect());
  ASSERT_TRUE(tls.send(get("/alive")));
  EXPECT_NE(tls.read_until("GET /alive  ").find("200 OK"), std::string::npos);
}

TEST_F(HttpTls, EndsASlowHandshake) {
  options_.head_timeout = std::chrono::seconds(1);
  TestServer server(options_);
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("\x16\x03\x01"));
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(HttpTls, StopsWhileClientsAreThere) {
  TestServer server(options_);
  const TestClient client = server.connect(), half = server.connect();
  TlsClient tls(client);
  ASSERT_TRUE(tls.connect());
  ASSERT_TRUE(tls.send(get("/hold")));
  const auto exchange = server.held();
  exchange->begin(200, {});
  server->stop();
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(HttpTls, RefusesFilesThatAreNoIdentity) {
  write_identity("other");
  const auto kind = [&](const char* certificate, const char* key) {
    const auto context = make_tls_context(folder_ / certificate, folder_ / key);
    EXPECT_FALSE(context.ok()) << certificate << " " << key;
    return context.ok() ? ErrorKind::kInternal : context.error().kind;
  };
  EXPECT_TRUE(make_tls_context(folder_ / "server.pem", folder_ / "server.key").ok());
  EXPECT_EQ(kind("absent.pem", "server.key"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("server.pem", "absent.key"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("server.pem", "other.key"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("server.key", "server.pem"), ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
