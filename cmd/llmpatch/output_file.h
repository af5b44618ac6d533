// Checks of an output's path before the work that would fill it.
#pragma once

#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace llmpatch {

// Whether `output` may be written: kExists when it is there and overwrite is kNo; kInvalidArgument
// when it is a folder or device, or one of `inputs`, which would be destroyed; kNotFound when the
// folder it goes to does not exist.
Status check_output_file(const std::filesystem::path& output, Overwrite overwrite,
                         const std::vector<std::filesystem::path>& inputs = {});

// The same of a folder that will have `file`: kExists when that is there and overwrite is kNo;
// kInvalidArgument when the folder is a file.
Status check_output_folder(const std::filesystem::path& folder, const std::string& file,
                           Overwrite overwrite);

inline Overwrite overwrite_if(bool force) { return force ? Overwrite::kYes : Overwrite::kNo; }

}  // namespace llmpatch
