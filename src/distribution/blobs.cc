#include "distribution/blobs.h"

#include <vector>

#include "base/file.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kMode = 0600;

Error corrupt(const fs::path& path, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "store", path.string() + ": " + message,
                    "install the patch again to repair it");
}

}  // namespace

Result<std::string> Blobs::put(std::string_view bytes) const {
  const std::string digest = sha256_hex(bytes);
  const fs::path path = folder_ / digest;
  if (fs::exists(fs::symlink_status(path))) {
    const auto found = get(digest, bytes.size());
    if (found.ok()) return digest;
    if (found.error().kind != ErrorKind::kCorrupt) return found.error();
    LLMPATCH_TRY(write_file_atomic(path, bytes));
    return digest;
  }
  LLMPATCH_TRY(write_new_file(path, bytes, kMode));
  return digest;
}

Result<std::string> Blobs::get(const std::string& digest, std::uint64_t size) const {
  const fs::path path = folder_ / digest;
  auto read = read_file(path, size, "file of the store");
  if (!read.ok()) {
    if (read.error().kind == ErrorKind::kIo) return read;
    return corrupt(path, "found no such file of " + std::to_string(size) + " bytes");
  }
  const std::string found = sha256_hex(*read);
  if (found != digest) return corrupt(path, "found sha256 " + found + ", expected " + digest);
  return read;
}

void Blobs::collect(const std::set<std::string>& keep) const {
  std::error_code code;
  std::vector<fs::path> unused;
  fs::directory_iterator entries(folder_, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    if (!keep.contains(entries->path().filename().string())) unused.push_back(entries->path());
  }
  for (const fs::path& path : unused) fs::remove(path, code);
}

}  // namespace llmpatch
