#include "patch/patch.h"

#include <algorithm>

#include "base/quote.h"
#include "base/sha256.h"
#include "patch/archive.h"
#include "patch/model_card.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Error corrupt(const std::string& where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "patch", where + ": " + message);
}

// One file that every patch has.
Result<std::string_view> needed_file(const PatchFiles& files, const char* name,
                                     const std::string& where) {
  const auto found = files.find(name);
  if (found == files.end()) return corrupt(where, "found no " + std::string(name));
  return std::string_view(found->second);
}

// What is there is what the manifest lists, byte for byte.
Status check_digests(const PatchFiles& files, const Manifest& manifest, const std::string& where) {
  for (const auto& [name, expected] : manifest.files) {
    LLMPATCH_ASSIGN(const std::string_view bytes, needed_file(files, name.c_str(), where));
    const std::string found = sha256_hex(bytes);
    if (found != expected) {
      return corrupt(where, name + ": found sha256 " + found + ", expected " + expected);
    }
  }
  for (const auto& [name, bytes] : files) {
    const bool is_listed = name == kManifestFile || name == kSignatureFile;
    if (!is_listed && !manifest.files.contains(name)) {
      return corrupt(where, "found " + quote(name) + ", which the manifest does not list");
    }
  }
  return {};
}

Status check_rows(const Rows& rows) {
  const auto refuse = [](const std::string& message) {
    return make_error(ErrorKind::kInvalidArgument, "patch", "rows: " + message);
  };
  if (rows.n == 0 || rows.d == 0 || rows.n > kMaxRows || rows.d > kMaxWidth) {
    return refuse("found [" + std::to_string(rows.n) + ", " + std::to_string(rows.d) +
                  "], expected at least [1, 1] and at most [" + std::to_string(kMaxRows) + ", " +
                  std::to_string(kMaxWidth) + "]");
  }
  if (rows.values.size() != rows.n * rows.d) {
    return refuse("found " + std::to_string(rows.values.size()) + " values, expected " +
                  std::to_string(rows.n * rows.d));
  }
  return {};
}

// The patch in `directory`, which is not signed; `what` names what will change in it.
Result<Patch> load_changeable(const fs::path& directory, const std::string& what) {
  LLMPATCH_ASSIGN(const PatchFiles files, read_patch_directory(directory));
  LLMPATCH_ASSIGN(Patch patch, patch_from_files(files, directory));
  if (!patch.is_signed) return patch;
  return make_error(ErrorKind::kDenied, "patch",
                    what + " of " + directory.string() + ": found a signed patch (" +
                        kSignatureFile + "), expected an unsigned one",
                    "a change would break the signature: put it into a new version, then sign");
}

Status write_changed(const Patch& patch, const fs::path& directory) {
  std::error_code code;
  // Through a link, so that the link stays and the directory behind it is renewed.
  const fs::path target = fs::canonical(directory, code);
  return write_patch(patch, code ? directory : target, Overwrite::kYes);
}

}  // namespace

Result<PatchFiles> read_patch_files(const fs::path& path) {
  std::error_code code;
  return fs::is_regular_file(path, code) ? read_patch_archive(path) : read_patch_directory(path);
}

Result<Patch> load_patch(const fs::path& path) {
  LLMPATCH_ASSIGN(const PatchFiles files, read_patch_files(path));
  return patch_from_files(files, path);
}

Result<Patch> patch_from_files(const PatchFiles& files, const fs::path& source) {
  const std::string where = source.string();
  const auto inside = [&](const char* name) { return (source / name).string(); };
  LLMPATCH_ASSIGN(const std::string_view manifest, needed_file(files, kManifestFile, where));
  Patch patch;
  LLMPATCH_ASSIGN(patch.manifest, parse_manifest(manifest, inside(kManifestFile)));
  LLMPATCH_TRY(check_digests(files, patch.manifest, where));

  LLMPATCH_ASSIGN(const std::string_view rows, needed_file(files, kRowsFile, where));
  LLMPATCH_ASSIGN(patch.rows, rows_from_safetensors(rows, inside(kRowsFile)));
  LLMPATCH_ASSIGN(const std::string_view adapter, needed_file(files, kAdapterConfigFile, where));
  LLMPATCH_ASSIGN(patch.adapter,
                  parse_adapter_config(adapter, patch.rows, inside(kAdapterConfigFile)));
  if (const auto card = files.find(kCardFile); card != files.end()) {
    LLMPATCH_ASSIGN(patch.card, parse_json(card->second, inside(kCardFile)));
    if (!patch.card->is_object()) {
      return corrupt(inside(kCardFile),
                     std::string("found ") + patch.card->type_name() + ", expected an object");
    }
  }
  patch.is_signed = files.contains(kSignatureFile);
  patch.source = source;
  return patch;
}

Result<PatchFiles> patch_to_files(const Patch& patch) {
  LLMPATCH_TRY(check_rows(patch.rows));
  LLMPATCH_TRY(check_manifest(patch.manifest));
  PatchFiles files;
  files[kRowsFile] = rows_to_safetensors(patch.rows);
  files[kAdapterConfigFile] = adapter_config_to_json(patch.adapter, patch.rows.n, patch.rows.d);
  files[kReadmeFile] = model_card(patch);
  if (patch.card) files[kCardFile] = json_pretty(*patch.card);
  Manifest manifest = patch.manifest;
  manifest.files.clear();
  for (const auto& [name, bytes] : files) {
    LLMPATCH_TRY(check_patch_file(name, bytes.size(), "patch " + manifest.name));
    manifest.files[name] = sha256_hex(bytes);
  }
  files[kManifestFile] = manifest_to_json(manifest);
  LLMPATCH_TRY(
      check_patch_file(kManifestFile, files[kManifestFile].size(), "patch " + manifest.name));
  // What would not load again is not written (a base identity against its form, for one, or numbers
  // in the rows that are not finite).
  if (auto read = parse_manifest(files[kManifestFile], kManifestFile); !read.ok()) {
    return make_error(ErrorKind::kInvalidArgument, "patch", read.error().message);
  }
  if (auto read = rows_from_safetensors(files[kRowsFile], kRowsFile); !read.ok()) {
    return make_error(ErrorKind::kInvalidArgument, "patch", read.error().message);
  }
  return files;
}

Status write_patch(const Patch& patch, const fs::path& directory, Overwrite overwrite) {
  LLMPATCH_ASSIGN(const PatchFiles files, patch_to_files(patch));
  return write_patch_directory(files, directory, overwrite);
}

Status check_changeable(const fs::path& directory, const std::string& what) {
  LLMPATCH_TRY(load_changeable(directory, what));
  return {};
}

Status put_card(const fs::path& directory, Json card) {
  if (!card.is_object()) {
    return make_error(ErrorKind::kInvalidArgument, "patch",
                      std::string("card: found ") + card.type_name() + ", expected an object");
  }
  LLMPATCH_ASSIGN(Patch patch, load_changeable(directory, "card"));
  patch.card = std::move(card);
  return write_changed(patch, directory);
}

Status put_tested(const fs::path& directory, const std::vector<TestedStack>& stacks) {
  LLMPATCH_ASSIGN(Patch patch, load_changeable(directory, "tested stacks"));
  std::vector<TestedStack>& tested = patch.manifest.compose.tested_stacks;
  for (const TestedStack& stack : stacks) {
    const auto same = std::find_if(tested.begin(), tested.end(), [&](const TestedStack& other) {
      return other.same_measurement(stack);
    });
    if (same == tested.end()) {
      tested.push_back(stack);
    } else {
      *same = stack;
    }
  }
  return write_changed(patch, directory);
}

}  // namespace llmpatch
