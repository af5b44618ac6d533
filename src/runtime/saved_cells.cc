#include "runtime/saved_cells.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace llmpatch {
namespace {

constexpr std::uint32_t kMaxStreams = 256, kMaxLayers = 1 << 12, kMaxCells = 1 << 26;

Error unsupported(const char* what) {
  return make_error(ErrorKind::kUnsupported, "runtime",
                    std::string("saved cells: found ") + what + ", expected libllama's own form");
}

template <class T>
void append(std::vector<std::uint8_t>& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}

}  // namespace

// Reads within bounds; after the first failure everything reads as nothing.
class SavedCells::Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    T value{};
    const std::size_t at = skip(sizeof value);
    if (ok_) std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  // Where the skipped bytes begin.
  std::size_t skip(std::uint64_t n) {
    if (n > bytes_.size() - at_) ok_ = false;
    const std::size_t from = at_;
    if (ok_) at_ += static_cast<std::size_t>(n);
    return from;
  }
  std::size_t at() const { return at_; }
  bool ok() const { return ok_; }
  bool done() const { return at_ == bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

Result<SavedCells> SavedCells::parse(std::vector<std::uint8_t> bytes) {
  SavedCells cells;
  Reader reader(bytes);
  reader.skip(kHead);
  while (reader.ok() && !reader.done()) {
    Block block;
    block.streams = reader.get<std::uint32_t>();
    if (block.streams < 1 || block.streams > kMaxStreams) return unsupported("no streams");
    // At most one stream has cells, and all that follows it are empty.
    for (std::uint32_t stream = 0; stream < block.streams; ++stream) {
      const auto n = reader.get<std::uint32_t>();
      if (n == 0) continue;
      if (block.cells > 0 || n > kMaxCells) return unsupported("cells in several streams");
      block.cells = n;
      block.meta = reader.skip(std::uint64_t{n} * kMeta);
      block.layers = reader.at();
      const auto transposed = reader.get<std::uint32_t>(), layers = reader.get<std::uint32_t>();
      if (transposed > 1 || layers > kMaxLayers) return unsupported("no layers");
      for (std::uint32_t i = 0; reader.ok() && i < 2 * layers; ++i) {
        Plane plane{reader.at(), 0, 0, 0, 1};
        reader.get<std::int32_t>();  // type
        if (i >= layers && transposed != 0) {
          plane.item = reader.get<std::uint32_t>();
          plane.repeat = reader.get<std::uint32_t>();
        } else {
          plane.item = static_cast<std::size_t>(reader.get<std::uint64_t>());
        }
        if (plane.item < 1 || plane.item > (1u << 24) || plane.repeat > (1u << 20)) {
          return unsupported("cells of no size");
        }
        plane.head_size = reader.at() - plane.head;
        plane.data = reader.skip(std::uint64_t{plane.repeat} * n * plane.item);
        block.planes.push_back(plane);
      }
    }
    cells.blocks_.push_back(std::move(block));
  }
  if (!reader.ok() || cells.blocks_.empty()) return unsupported("too few bytes");
  cells.cells_ = cells.blocks_.front().cells;
  cells.bytes_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
  for (const Block& block : cells.blocks_) {
    for (std::size_t i = 0; i < block.cells; ++i) {
      std::uint32_t sequences = 0;
      std::memcpy(&sequences, cells.bytes_->data() + block.meta + i * kMeta + 4, sizeof sequences);
      if (sequences != 1 || cells.position(block, i) < 0) return unsupported("no position");
    }
  }
  return cells;
}

std::span<const std::uint8_t> SavedCells::bytes() const {
  if (bytes_ == nullptr) return {};
  return *bytes_;
}

llama_pos SavedCells::position(const Block& block, std::size_t cell) const {
  llama_pos position = 0;
  std::memcpy(&position, bytes_->data() + block.meta + cell * kMeta, sizeof position);
  return position;
}

// The cells of all parts that are wanted, part by part, in the form they came in. `wanted` is
// called as (part, position).
template <class Wanted>
Result<SavedCells> SavedCells::write(std::span<const SavedCells> parts, const Wanted& wanted) {
  struct Run {
    const SavedCells* part;
    std::size_t begin, end;
  };
  const SavedCells& first = parts.front();
  std::size_t most = 0;
  for (const SavedCells& part : parts) most += part.bytes().size();
  std::vector<std::uint8_t> out;
  out.reserve(most);
  const auto copy = [&](const SavedCells& from, std::size_t begin, std::size_t n) {
    const std::uint8_t* at = from.bytes_->data() + begin;
    out.insert(out.end(), at, at + n);
  };
  copy(first, 0, kHead);
  for (std::size_t b = 0; b < first.blocks_.size(); ++b) {
    const Block* model = nullptr;  // the first that has cells
    std::vector<Run> runs;
    std::uint32_t n = 0;
    for (const SavedCells& part : parts) {
      if (part.blocks_.size() != first.blocks_.size()) return unsupported("other caches");
      const Block& block = part.blocks_[b];
      if (block.cells > 0 && model == nullptr) model = &block;
      if (block.cells > 0 && block.planes.size() != model->planes.size()) {
        return unsupported("other layers");
      }
      for (std::size_t cell = 0; cell < block.cells; ++cell) {
        if (!wanted(part.position(block, cell))) continue;
        if (runs.empty() || runs.back().part != &part || runs.back().end != cell) {
          runs.push_back({&part, cell, cell});
        }
        ++runs.back().end;
        ++n;
      }
    }
    const std::uint32_t streams = first.blocks_[b].streams;
    append(out, streams);
    append(out, n);
    if (n > 0) {
      const SavedCells& head = *runs.front().part;
      const Block& like = head.blocks_[b];
      for (const Run& run : runs) {
        copy(*run.part, run.part->blocks_[b].meta + run.begin * kMeta,
             (run.end - run.begin) * kMeta);
      }
      copy(head, like.layers, kLayers);
      for (std::size_t p = 0; p < like.planes.size(); ++p) {
        const Plane& plane = like.planes[p];
        copy(head, plane.head, plane.head_size);
        for (std::size_t r = 0; r < plane.repeat; ++r) {
          for (const Run& run : runs) {
            const Block& block = run.part->blocks_[b];
            const Plane& from = block.planes[p];
            if (from.item != plane.item || from.repeat != plane.repeat) {
              return unsupported("other layers");
            }
            copy(*run.part, from.data + (r * block.cells + run.begin) * plane.item,
                 (run.end - run.begin) * plane.item);
          }
        }
      }
    }
    for (std::uint32_t stream = 1; stream < streams; ++stream) append(out, std::uint32_t{0});
  }
  return parse(std::move(out));
}

SavedCells SavedCells::before(llama_pos end) const {
  bool all = true;
  for (const Block& block : blocks_) {
    for (std::size_t cell = 0; all && cell < block.cells; ++cell) all = position(block, cell) < end;
  }
  if (all) return *this;
  // Its own bytes fit together, so this cannot fail.
  return write({this, 1}, [end](llama_pos at) { return at < end; }).value();
}

Result<SavedCells> SavedCells::join(std::span<const SavedCells> parts) {
  if (parts.empty()) return SavedCells();
  if (parts.size() == 1) return parts.front();
  return write(parts, [](llama_pos) { return true; });
}

bool SavedCells::operator==(const SavedCells& other) const {
  if (blocks_.size() != other.blocks_.size()) return false;
  const auto equal = [&](std::size_t a, std::size_t b, std::size_t n) {
    return std::memcmp(bytes_->data() + a, other.bytes_->data() + b, n) == 0;
  };
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Block &x = blocks_[b], &y = other.blocks_[b];
    if (x.cells != y.cells || x.planes.size() != y.planes.size()) return false;
    for (std::size_t i = 0; i < x.cells; ++i) {
      if (position(x, i) != other.position(y, i)) return false;
    }
    for (std::size_t p = 0; p < x.planes.size(); ++p) {
      const Plane &m = x.planes[p], &n = y.planes[p];
      if (m.head_size != n.head_size || !equal(m.head, n.head, m.head_size)) return false;
      if (!equal(m.data, n.data, m.repeat * x.cells * m.item)) return false;
    }
  }
  return true;
}

}  // namespace llmpatch
