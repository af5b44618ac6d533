#include "patch/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "base/quote.h"
#include "patch/patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kTypeOffset = 156;       // of the type in a header
constexpr std::size_t kEndBytes = 2 * kBlock;  // two blocks of zeros close a tar
// More than all files of a patch can have together (files.cc).
constexpr std::uint64_t kMaxArchiveBytes = std::uint64_t{96} * 1024 * 1024;

struct Free {
  void operator()(::archive* handle) const { ::archive_free(handle); }
  void operator()(::archive_entry* entry) const { ::archive_entry_free(entry); }
};
using Handle = std::unique_ptr<::archive, Free>;
using Entry = std::unique_ptr<::archive_entry, Free>;

std::size_t padded(std::size_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

Error library_error(::archive* handle, const std::string& action) {
  const char* reason = ::archive_error_string(handle);
  return make_error(ErrorKind::kInternal, "archive",
                    action + ": libarchive: " + (reason != nullptr ? reason : "no reason given"));
}

Error corrupt(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "archive", std::string(where) + ": " + message);
}

Status write_entry(::archive* handle, const std::string& name, const std::string& bytes) {
  const Entry entry(::archive_entry_new());
  ::archive_entry_set_pathname(entry.get(), name.c_str());
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), 0644);
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
  ::archive_entry_set_mtime(entry.get(), 0, 0);
  if (::archive_write_header(handle, entry.get()) != ARCHIVE_OK ||
      ::archive_write_data(handle, bytes.data(), bytes.size()) !=
          static_cast<la_ssize_t>(bytes.size())) {
    return library_error(handle, "pack " + name);
  }
  return {};
}

// The name of the entry whose header stands at `at`, once it is certain to be a plain file of a
// patch. The type is read from the header itself: libarchive takes types it does not know for
// files.
Result<std::string> checked_name(::archive* handle, ::archive_entry* entry,
                                 std::string_view archive, std::size_t at, std::string_view where) {
  // Extension headers, which libarchive reads silently, show as a gap before an entry.
  if (::archive_format(handle) != ARCHIVE_FORMAT_TAR_USTAR ||
      ::archive_read_header_position(handle) != static_cast<la_int64_t>(at) ||
      at + kBlock > archive.size()) {
    return corrupt(where, "found a tar with extensions, expected plain ustar");
  }
  const char* name = ::archive_entry_pathname(entry);
  if (name == nullptr) return corrupt(where, "found an entry without a readable name");
  const char type = archive[at + kTypeOffset];
  if ((type != '0' && type != '\0') || ::archive_entry_filetype(entry) != AE_IFREG) {
    return corrupt(where, quote(name) + ": found a link, folder or device, expected a file");
  }
  if (!::archive_entry_size_is_set(entry) || ::archive_entry_size(entry) < 0) {
    return corrupt(where, quote(name) + ": found no size");
  }
  LLMPATCH_TRY(
      check_patch_file(name, static_cast<std::uint64_t>(::archive_entry_size(entry)), where));
  return std::string(name);
}

// The content of the current entry, `size` bytes, of which `there` are left in the archive.
Result<std::string> read_content(::archive* handle, std::size_t size, std::size_t there,
                                 const std::string& name, std::string_view where) {
  // libarchive would give nothing of a block that is cut.
  if (there < size) {
    return corrupt(where, name + ": found " + std::to_string(there) + " bytes, expected " +
                              std::to_string(size) + ": it is truncated");
  }
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const la_ssize_t got = ::archive_read_data(handle, bytes.data() + have, size - have);
    if (got <= 0) {
      return corrupt(where, name + ": found " + std::to_string(have) + " bytes, expected " +
                                std::to_string(size));
    }
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

Result<std::string> pack_files(const PatchFiles& files) {
  std::size_t total = kEndBytes;
  for (const auto& [name, bytes] : files) {
    LLMPATCH_TRY(check_patch_file(name, bytes.size(), "pack"));
    total += kBlock + padded(bytes.size());
  }
  std::string tar(total, '\0');
  std::size_t used = 0;
  const Handle handle(::archive_write_new());
  if (handle == nullptr) return make_error(ErrorKind::kInternal, "archive", "pack: out of memory");
  if (::archive_write_set_format_ustar(handle.get()) != ARCHIVE_OK ||
      ::archive_write_set_bytes_per_block(handle.get(), kBlock) != ARCHIVE_OK ||
      ::archive_write_set_bytes_in_last_block(handle.get(), 1) != ARCHIVE_OK ||
      ::archive_write_open_memory(handle.get(), tar.data(), tar.size(), &used) != ARCHIVE_OK) {
    return library_error(handle.get(), "pack");
  }
  for (const auto& [name, bytes] : files) LLMPATCH_TRY(write_entry(handle.get(), name, bytes));
  if (::archive_write_close(handle.get()) != ARCHIVE_OK) return library_error(handle.get(), "pack");
  if (used != total) {
    return make_error(
        ErrorKind::kInternal, "archive",
        "pack: found " + std::to_string(used) + " bytes, expected " + std::to_string(total));
  }
  return tar;
}

Result<PatchFiles> unpack_files(std::string_view archive, std::string_view where) {
  const Handle handle(::archive_read_new());
  if (handle == nullptr)
    return make_error(ErrorKind::kInternal, "archive", "unpack: out of memory");
  if (::archive_read_support_format_tar(handle.get()) != ARCHIVE_OK) {
    return library_error(handle.get(), "unpack");
  }
  if (::archive_read_open_memory(handle.get(), archive.data(), archive.size()) != ARCHIVE_OK) {
    return corrupt(where, "found something else, expected a tar");
  }
  PatchFiles files;
  std::size_t end = 0;  // behind the last entry
  while (true) {
    ::archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(handle.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK) return corrupt(where, "found a damaged or foreign header of a tar");
    LLMPATCH_ASSIGN(const std::string name, checked_name(handle.get(), entry, archive, end, where));
    if (files.contains(name)) return corrupt(where, "found " + name + " twice");
    const auto size = static_cast<std::size_t>(::archive_entry_size(entry));
    const std::size_t there = archive.size() - (end + kBlock);  // checked_name saw the header
    LLMPATCH_ASSIGN(files[name], read_content(handle.get(), size, there, name, where));
    end += kBlock + padded(size);
  }
  if (files.empty()) return corrupt(where, "found no files, expected a patch");
  if (end > archive.size() || archive.size() - end < kEndBytes) {
    return corrupt(where, "found no end of the tar: it is truncated");
  }
  const std::string_view rest = archive.substr(end);
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return c != '\0'; })) {
    return corrupt(where, "found data behind the last file, expected zeros");
  }
  return files;
}

Result<PatchFiles> read_patch_archive(const fs::path& path) {
  LLMPATCH_ASSIGN(const std::string bytes, read_file(path, kMaxArchiveBytes, "patch"));
  return unpack_files(bytes, path.string());
}

Status pack_patch(const fs::path& directory, const fs::path& file, Overwrite overwrite) {
  LLMPATCH_ASSIGN(const PatchFiles files, read_patch_directory(directory));
  LLMPATCH_TRY(patch_from_files(files, directory));
  LLMPATCH_ASSIGN(const std::string tar, pack_files(files));
  return write_file_atomic(file, tar, overwrite);
}

Status unpack_patch(const fs::path& file, const fs::path& directory, Overwrite overwrite) {
  LLMPATCH_ASSIGN(const PatchFiles files, read_patch_archive(file));
  LLMPATCH_TRY(patch_from_files(files, file));
  return write_patch_directory(files, directory, overwrite);
}

}  // namespace llmpatch
