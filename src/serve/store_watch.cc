#include "serve/store_watch.h"

#include <sys/stat.h>

#include "distribution/folder.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

std::string state_of(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "-;";
  return std::to_string(info.st_ino) + "," + std::to_string(info.st_size) + "," +
         std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + ";";
}

}  // namespace

std::string store_state(const fs::path& folder) {
  std::error_code code;
  if (!fs::exists(folder / kDatabaseFile, code)) return {};
  std::string state;
  const std::string database = kDatabaseFile;
  // SQLite writes to the one or the other, depending on its journal.
  for (const std::string& name : {database, database + "-wal", std::string(kPolicyFile)}) {
    state += state_of(folder / name);
  }
  for (fs::directory_iterator it(folder / kKeysFolder, code), end; !code && it != end;
       it.increment(code)) {
    state += it->path().filename().string() + "=" + state_of(it->path());
  }
  return state;
}

}  // namespace llmpatch
