#include "base/lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace llmpatch {
namespace {

TEST(WholeLines, LeaveOutALineThatWasCut) {
  using Lines = std::vector<std::string_view>;
  EXPECT_EQ(whole_lines("a\n\nb\ncut"), (Lines{"a", "", "b"}));
  EXPECT_EQ(whole_lines("cut"), Lines{});
  EXPECT_EQ(whole_lines(""), Lines{});
}

TEST(AppendText, MakesTheFileAndGrowsIt) {
  const auto path =
      std::filesystem::temp_directory_path() / ("llmpatch-lines-" + std::to_string(::getpid()));
  ASSERT_TRUE(append_text(path, "one\n").ok());
  ASSERT_TRUE(append_text(path, "two\n").ok());
  EXPECT_EQ(read_file(path, 100, "lines").value(), "one\ntwo\n");
  std::filesystem::remove(path);
}

TEST(AppendText, NamesWhatCannotBeWritten) {
  for (const char* path : {"/dev/full", "/nowhere/at/all"}) {
    const Status status = append_text(path, "one\n");
    ASSERT_FALSE(status.ok()) << path;
    EXPECT_EQ(status.error().kind, ErrorKind::kIo);
    EXPECT_NE(status.error().message.find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace llmpatch
