#include "distribution/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/file.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0700;

Error io_error(const char* action, const fs::path& path, int number) {
  return make_error(ErrorKind::kIo, "store",
                    std::string(action) + " " + path.string() + ": " + std::strerror(number));
}

Error denied(const fs::path& folder, const std::string& message, const std::string& hint) {
  return make_error(ErrorKind::kDenied, "store", folder.string() + ": " + message, hint);
}

// What is there is in nobody's way, and no store.
Error no_store(const fs::path& folder, const std::string& found) {
  return denied(folder, "found " + found + ", expected a store", "choose another folder");
}

// Makes one folder; another process may be quicker.
Status make_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), kMode) == 0) {
    const fs::path parent = folder.parent_path();
    return sync_directory(parent.empty() ? "." : parent);
  }
  if (errno != EEXIST) return io_error("create", folder, errno);
  return {};
}

// Whoever can write here can put in any patch: that must be the user alone.
Status check_owner(const fs::path& path, const struct stat& info) {
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return denied(path, "found that it belongs to another user",
                  "say --store with a folder of your own");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return denied(path, "found that other users may write there, expected that none may",
                  "look at what is in it, then chmod go-w " + path.string());
  }
  return {};
}

// What a folder that others may enter has inside must not be open to them either. What lies in the
// blobs' folder is checked by its digest whenever it is read.
Status check_inside(const fs::path& path, mode_t type) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? Status() : Status(io_error("open", path, errno));
  }
  if ((info.st_mode & S_IFMT) != type) {
    return denied(path, "found another kind of file, expected a store's", "choose another folder");
  }
  return check_owner(path, info);
}

Status check_keys(const fs::path& folder) {
  LLMPATCH_TRY(check_inside(folder, S_IFDIR));
  std::error_code code;
  fs::directory_iterator entries(folder, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    LLMPATCH_TRY(check_inside(entries->path(), S_IFREG));
  }
  return {};
}

// The database's file, for its owner alone; SQLite gives its journal the same mode. An empty one is
// a database without tables.
Status make_database_file(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return io_error("create", file, errno);
  ::close(fd);
  return {};
}

// Whether there is a database with something in it. The tables are written before anything else.
bool has_database(const fs::path& folder) {
  struct stat info {};
  return ::lstat((folder / kDatabaseFile).c_str(), &info) == 0 &&
         !(S_ISREG(info.st_mode) && info.st_size == 0);
}

// A folder without a database is empty, or was left by a process that died while it made the store.
// One with files of patches has lost it, and with it what was revoked.
Status check_contents(const fs::path& folder) {
  if (has_database(folder)) return {};
  std::error_code code;
  if (fs::exists(folder / kBlobsFolder, code) && !fs::is_empty(folder / kBlobsFolder, code)) {
    return make_error(ErrorKind::kCorrupt, "store",
                      folder.string() + ": found the files of patches and no " + kDatabaseFile +
                          ", which knows what was revoked",
                      std::string("put ") + kDatabaseFile +
                          " back from a copy, or move the folder away and begin anew");
  }
  fs::directory_iterator entries(folder, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    const std::string name = entries->path().filename().string();
    // The database's journal bears its name and more.
    if (name == kLockFile || name == kBlobsFolder || name == kPolicyFile || name == kKeysFolder ||
        name.starts_with(kDatabaseFile)) {
      continue;
    }
    return no_store(folder, "a folder with other things in it");
  }
  if (code) return io_error("read", folder, code.value());
  return {};
}

}  // namespace

Status prepare_store_folder(const fs::path& folder, bool create) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) {
    if (errno == ENOTDIR) return no_store(folder, "a file on the way to it");
    if (errno != ENOENT) return io_error("open", folder, errno);
    if (::lstat(folder.c_str(), &info) == 0) return no_store(folder, "a link to nothing");
    if (!create) {
      return make_error(ErrorKind::kNotFound, "store", "store: found no folder " + folder.string(),
                        "llmpatch install makes it; --store names another one");
    }
    std::error_code code;
    if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), code);
    if (code) return io_error("create", folder.parent_path(), code.value());
    LLMPATCH_TRY(make_folder(folder));
    if (::stat(folder.c_str(), &info) != 0) return io_error("open", folder, errno);
  }
  if (!S_ISDIR(info.st_mode)) {
    return no_store(folder, "a file");
  }
  LLMPATCH_TRY(check_owner(folder, info));
  LLMPATCH_TRY(check_contents(folder));
  LLMPATCH_TRY(make_folder(folder / kBlobsFolder));
  LLMPATCH_TRY(check_inside(folder / kBlobsFolder, S_IFDIR));
  LLMPATCH_TRY(check_inside(folder / kLockFile, S_IFREG));
  LLMPATCH_TRY(check_inside(folder / kDatabaseFile, S_IFREG));
  LLMPATCH_TRY(check_inside(folder / kPolicyFile, S_IFREG));
  LLMPATCH_TRY(check_keys(folder / kKeysFolder));
  return make_database_file(folder / kDatabaseFile);
}

}  // namespace llmpatch
