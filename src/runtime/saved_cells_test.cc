#include "runtime/saved_cells.h"

#include "runtime/context.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

std::unique_ptr<Context> make_context(const Model& model, bool exact, std::uint32_t sequences) {
  ContextOptions options;
  options.exact = exact;
  options.split = true;
  options.cells = 256;
  options.sequences = sequences;
  options.outputs = sequences;
  return Context::create(model.handle(), options).value();
}

// Decodes tokens behind what the sequence has; the last one's logits.
std::vector<float> decode(Context& context, std::span<const Token> tokens, std::size_t begin,
                          llama_seq_id sequence) {
  TokenBatch batch;
  std::int32_t last = 0;
  for (std::size_t i = begin; i < tokens.size(); ++i) {
    last = batch.add(tokens[i], static_cast<llama_pos>(i), sequence, i + 1 == tokens.size());
  }
  EXPECT_TRUE(context.decode(batch).ok());
  const auto logits = context.logits(last);
  return {logits.begin(), logits.end()};
}

SavedCells save(Context& context, llama_seq_id sequence) {
  auto cells = SavedCells::parse(context.save(sequence).value());
  EXPECT_TRUE(cells.ok()) << cells.error().to_string();
  return std::move(cells).value();
}

// Two caches (sliding windows), transposed values (no flash attention), one stream and several.
TEST(SavedCells, ABeginningIsWhatDecodingItLeaves) {
  for (const Model* model : {&tiny_model(), &smollm2(), &gemma3()}) {
    for (const bool exact : {false, true}) {
      for (const std::uint32_t sequences : {1u, 3u}) {
        const auto context = make_context(*model, exact, sequences);
        const auto last = static_cast<llama_seq_id>(sequences) - 1;
        const Tokens tokens = letters(12);
        // Bit for bit the same arithmetic: each part is decoded alone both times.
        decode(*context, std::span(tokens).first(7), 0, last);
        const SavedCells seven = save(*context, last);
        const auto expected = decode(*context, tokens, 7, last);
        const SavedCells all = save(*context, last);
        EXPECT_EQ(all.size(), 12u);
        EXPECT_EQ(all.before(7), seven);
        EXPECT_FALSE(all == seven);
        EXPECT_EQ(all.before(12), all);
        EXPECT_EQ(all.before(0).size(), 0u);

        context->remove(last);
        ASSERT_TRUE(context->restore(all.before(7).bytes(), last).ok());
        EXPECT_EQ(save(*context, last), seven);
        EXPECT_EQ(decode(*context, tokens, 7, last), expected);
      }
    }
  }
}

TEST(SavedCells, JoinedCellsAreThoseOfAllParts) {
  const auto context = make_context(tiny_model(), true, 2);
  decode(*context, letters(5), 0, 0);
  decode(*context, letters(9, 3), 0, 1);
  const std::vector<SavedCells> parts{save(*context, 0), save(*context, 1)};
  const SavedCells joined = SavedCells::join(parts).value();
  EXPECT_EQ(joined.size(), 14u);
  context->remove(0);
  ASSERT_TRUE(context->restore(joined.bytes(), 0).ok());
  EXPECT_EQ(save(*context, 0), joined);
  // Positions 0 to 4 twice.
  EXPECT_EQ(save(*context, 0).before(5).size(), 10u);
  EXPECT_EQ(SavedCells::join({}).value().size(), 0u);
}

TEST(SavedCells, PartsOfDifferentModelsDoNotJoin) {
  const auto tiny = make_context(tiny_model(), true, 1), other = make_context(smollm2(), true, 1),
             two = make_context(gemma3(), true, 1);
  for (Context* context : {tiny.get(), other.get(), two.get()}) decode(*context, letters(3), 0, 0);
  for (const Context* context : {other.get(), two.get()}) {
    const std::vector<SavedCells> parts{save(*tiny, 0), save(const_cast<Context&>(*context), 0)};
    const auto joined = SavedCells::join(parts);
    ASSERT_FALSE(joined.ok());
    EXPECT_EQ(joined.error().kind, ErrorKind::kUnsupported);
  }
}

TEST(SavedCells, RefusesWhatReadsOtherwise) {
  const auto context = make_context(tiny_model(), false, 2);
  decode(*context, letters(3), 0, 1);
  const std::vector<std::uint8_t> bytes = context->save(1).value();
  ASSERT_TRUE(SavedCells::parse(bytes).ok());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_FALSE(SavedCells::parse(std::move(cut)).ok()) << n;
  }
  std::vector<std::uint8_t> longer = bytes;
  longer.push_back(1);
  EXPECT_FALSE(SavedCells::parse(std::move(longer)).ok());
  // Streams and count, the second stream's; positions, sequences; layers. Nothing may be read
  // beyond the end, whatever they say.
  for (std::size_t at = 8; at < 80; ++at) {
    for (const int value : {0, 1, 2, 127, 255}) {
      std::vector<std::uint8_t> other = bytes;
      other[at] = static_cast<std::uint8_t>(value);
      const auto cells = SavedCells::parse(std::move(other));
      if (!cells.ok()) continue;
      EXPECT_LE(cells->before(2).size(), cells->size());
    }
  }
}

}  // namespace
}  // namespace llmpatch
