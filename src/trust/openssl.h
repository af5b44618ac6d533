// OpenSSL's objects as owners, for the files of this room alone.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace llmpatch::openssl {

template <auto Function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};

inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_free(stack); }

using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
// The stack alone; its certificates belong to somebody else.
using CertificateStack = std::unique_ptr<STACK_OF(X509), Free<free_certificates>>;

// Reads from `bytes`, which must outlive it.
inline Bio memory_reader(std::string_view bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

inline Bio memory_writer() { return Bio(BIO_new(BIO_s_mem())); }

inline std::string written(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// The reason of the newest error, for a message; empties the thread's queue.
std::string last_error();

}  // namespace llmpatch::openssl
