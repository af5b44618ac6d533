// Any bytes as a model file: the table is checked, every accepted tensor can be read to its end.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gguf/dequantize.h"
#include "gguf/gguf_file.h"
#include "gguf/identity.h"

namespace {

// A file in memory that is opened by name again and again, since the reader maps files.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0) std::abort();
    path_ = "/proc/self/fd/" + std::to_string(fd_);
  }
  const std::string& put(const std::uint8_t* data, std::size_t size) {
    if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, data, size, 0) != static_cast<ssize_t>(size)) {
      std::abort();
    }
    return path_;
  }

 private:
  int fd_;
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MemoryFile memory;
  const auto file = llmpatch::GgufFile::open(memory.put(data, size));
  if (!file.ok()) return 0;
  for (const auto& tensor : file->tensors()) {
    // A row may be as long as the file allows, so one row is enough to touch every byte of it.
    if (tensor.rows() == 0 || tensor.columns() > (std::uint64_t{1} << 20)) continue;
    std::vector<float> row(tensor.columns());
    for (const std::uint64_t index : {std::uint64_t{0}, tensor.rows() - 1}) {
      if (!llmpatch::dequantize_rows(tensor, index, 1, row).ok()) break;
    }
  }
  (void)file->architecture();
  (void)llmpatch::compute_identity(*file).ok();
  return 0;
}
