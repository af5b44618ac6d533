#include "output_file.h"

namespace llmpatch {

namespace fs = std::filesystem;

Status check_output_file(const fs::path& output, Overwrite overwrite,
                         const std::vector<fs::path>& inputs) {
  std::error_code code;
  for (const fs::path& input : inputs) {
    if (fs::equivalent(input, output, code)) {
      return make_error(ErrorKind::kInvalidArgument, "output",
                        output.string() + ": found the input itself, expected another file");
    }
  }
  const fs::file_status status = fs::symlink_status(output, code);
  if (fs::exists(status)) {
    if (!fs::is_regular_file(status) && !fs::is_symlink(status)) {
      return make_error(ErrorKind::kInvalidArgument, "output",
                        output.string() + ": found a folder or device, expected a file");
    }
    if (overwrite == Overwrite::kNo) {
      return make_error(ErrorKind::kExists, "output", output.string() + ": it exists already",
                        "choose another name or say --force");
    }
  }
  const fs::path folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, code)) {
    return make_error(ErrorKind::kNotFound, "output",
                      output.string() + ": found no folder " + folder.string());
  }
  return {};
}

Status check_output_folder(const fs::path& folder, const std::string& file, Overwrite overwrite) {
  std::error_code code;
  if (fs::exists(folder, code) && !fs::is_directory(folder, code)) {
    return make_error(ErrorKind::kInvalidArgument, "output",
                      folder.string() + ": found a file, expected a folder");
  }
  if (overwrite == Overwrite::kNo && fs::exists(folder / file, code)) {
    return make_error(ErrorKind::kExists, "output",
                      (folder / file).string() + ": it exists already",
                      "choose another folder or say --force");
  }
  return {};
}

}  // namespace llmpatch
