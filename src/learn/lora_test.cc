#include "learn/lora.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "base/json.h"
#include "gguf/gguf_test_file.h"
#include "learn/lora_directory.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// A model file with the matrices of two layers: 8 wide, 4 heads and 2 key-value heads of 4 (so that
// heads have more than one pair), a feed-forward of 6.
GgufTestFile model_file() {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.u32("llama.block_count", 2);
  file.u32("llama.attention.head_count", 4);
  file.u32("llama.attention.head_count_kv", 2);
  const auto matrix = [&](const std::string& name, std::uint64_t inputs, std::uint64_t outputs) {
    file.floats(name, {inputs, outputs}, std::vector<float>(inputs * outputs));
  };
  for (const std::string block : {"blk.0.", "blk.1."}) {
    matrix(block + "attn_q.weight", 8, 16);
    matrix(block + "attn_k.weight", 8, 8);
    matrix(block + "attn_v.weight", 8, 8);
    matrix(block + "attn_output.weight", 16, 8);
    matrix(block + "ffn_gate.weight", 8, 6);
    matrix(block + "ffn_down.weight", 6, 8);
  }
  return file;
}

std::vector<TargetMatrix> targets(const std::vector<std::string>& names, std::int64_t rank = 2) {
  const auto file = open_gguf(model_file().bytes());
  auto found = find_target_matrices(*file, names, rank);
  EXPECT_TRUE(found.ok()) << found.error().to_string();
  return std::move(found).value();
}

TEST(LoraTargets, AreFoundInEveryLayer) {
  const auto found = targets({"o", "q"});
  ASSERT_EQ(found.size(), 4U);
  const std::vector<std::string> names = {"blk.0.attn_q.weight", "blk.0.attn_output.weight",
                                          "blk.1.attn_q.weight", "blk.1.attn_output.weight"};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(found[i].tensor_name(), names[i]);
  EXPECT_EQ(std::pair(found[1].outputs, found[1].inputs), std::pair(8L, 16L));
}

TEST(LoraTargets, WhatTheModelDoesNotHaveIsSaid) {
  const auto file = open_gguf(model_file().bytes());
  EXPECT_EQ(find_target_matrices(*file, {"up"}, 2).error().kind, ErrorKind::kUnsupported);
  const auto large = find_target_matrices(*file, {"q", "down"}, 7);
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(large.error().message.find("at most 6 for blk.0.ffn_down.weight"), std::string::npos)
      << large.error().message;
  EXPECT_TRUE(find_target_matrices(*file, {"q", "down"}, 6).ok());
  EXPECT_TRUE(check_lora_targets({"q", "down"}).ok());
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{}, {"q", "query"}, {"q", "q"}, {""}}) {
    EXPECT_EQ(check_lora_targets(names).error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(LoraLayout, BeginsAsPeftDoes) {
  const LoraLayout layout(targets({"q", "o"}), 2, 4);
  EXPECT_EQ(layout.size(), 2 * (2 * (8 + 16) + 2 * (16 + 8)));
  const torch::Tensor learned = layout.initial(7);
  ASSERT_EQ(learned.sizes(), (std::vector<std::int64_t>{1, layout.size()}));
  EXPECT_TRUE(torch::equal(learned, layout.initial(7)));
  EXPECT_FALSE(torch::equal(learned, layout.initial(8)));
  const Adaptation adaptation = layout.adapt(learned);
  EXPECT_EQ(adaptation.prefix_rows(), 0);
  EXPECT_EQ(adaptation.updates.scale, 2);
  EXPECT_EQ(adaptation.updates.of.size(), 4U);
  for (const auto& [name, update] : adaptation.updates.of) {
    EXPECT_EQ(update.up.abs().max().item<float>(), 0) << name;
    const double bound = 1 / std::sqrt(static_cast<double>(update.down.size(1)));
    const double largest = update.down.abs().max().item<double>();
    EXPECT_LE(largest, bound) << name;
    // The largest of at least 16 uniform numbers is below half the bound once in 65,536 times.
    EXPECT_GT(largest, bound / 2) << name;
    EXPECT_LT(update.down.mean().abs().item<double>(), bound / 2) << name;
  }
}

TEST(LoraLayout, EveryNumberIsInOneFactorAndGetsItsGradient) {
  const LoraLayout layout(targets({"q", "k", "v", "o", "gate", "down"}), 2, 4);
  torch::Tensor learned =
      torch::arange(layout.size(), torch::kFloat32).view({1, -1}).requires_grad_(true);
  const Adaptation adaptation = layout.adapt(learned);
  torch::Tensor sum = torch::zeros({});
  std::int64_t numbers = 0;
  for (const auto& [name, update] : adaptation.updates.of) {
    sum = sum + update.down.sum() + 2 * update.up.sum();
    numbers += update.down.numel() + update.up.numel();
  }
  EXPECT_EQ(numbers, layout.size());
  sum.backward();
  const torch::Tensor found = learned.grad();
  EXPECT_EQ(((found == 1) | (found == 2)).sum().item<std::int64_t>(), layout.size());

  const Lora lora = layout.to_lora(learned, "llama");
  EXPECT_EQ(lora.alpha, 4);
  EXPECT_EQ(lora.scale(lora.matrices[0]), 2);
  float next = 0;  // the factors stand in the tensor one after another
  for (const LoraMatrix& matrix : lora.matrices) {
    for (const auto* factor : {&matrix.a, &matrix.b}) {
      for (const float value : *factor) EXPECT_EQ(value, next++);
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(next), layout.size());
}

class LoraDirectory : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("lora_directory_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    manifest_.name = "tester";
    manifest_.version = "1.0.0";
    manifest_.risk = "test";
    manifest_.license = "Apache-2.0";
    manifest_.base.name = "org/model";
    manifest_.base.architecture = "llama";
    for (std::string* digest : {&manifest_.base.file, &manifest_.base.shapes,
                                &manifest_.base.tokenizer, &manifest_.base.vectors}) {
      *digest = std::string(64, 'b');
    }
    manifest_.learned = {{"method", "sft"}};
  }
  void TearDown() override { fs::remove_all(folder_); }

  Status write(Overwrite overwrite) const {
    return write_lora_directory(lora_, matrices_, model(), manifest_, folder_ / "out", overwrite);
  }
  PeftModel model() const {
    return peft_model(open_gguf(model_file().bytes()).value(), "org/model").value();
  }
  std::string text(const char* name) const {
    return read_file(folder_ / "out" / name, 1 << 20, "test").value();
  }

  const std::vector<TargetMatrix> matrices_ = targets({"q", "k", "v"});
  const LoraLayout layout_{matrices_, 2, 4};
  const Lora lora_ =
      layout_.to_lora(torch::arange(layout_.size(), torch::kFloat32).view({1, -1}), "llama");
  fs::path folder_;
  Manifest manifest_;
};

// What conversion/llama.py of llama.cpp does to the rows of q and k, written down independently:
// reshape(heads, 2, half, ...).swapaxes(1, 2).
torch::Tensor converted(const torch::Tensor& rows, std::int64_t heads) {
  const std::int64_t half = rows.size(0) / heads / 2;
  return rows.view({heads, 2, half, rows.size(1)}).transpose(1, 2).reshape(rows.sizes());
}

TEST_F(LoraDirectory, PeftsRowsBecomeTheModelFilesWhenConverted) {
  const std::string bytes = peft_safetensors(lora_, matrices_, model());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  ASSERT_EQ(length % 8, 0U);
  const Json header = Json::parse(bytes.substr(8, length));
  EXPECT_EQ(header["__metadata__"]["format"], "pt");
  EXPECT_EQ(header.size(), 1 + 2 * matrices_.size());
  const auto tensor = [&](const std::string& name) {
    const Json& entry = header.at(name);
    EXPECT_EQ(entry["dtype"], "F32");
    const auto begin = entry["data_offsets"][0].get<std::size_t>();
    const auto end = entry["data_offsets"][1].get<std::size_t>();
    torch::Tensor values = torch::empty(
        {entry["shape"][0].get<std::int64_t>(), entry["shape"][1].get<std::int64_t>()});
    EXPECT_EQ(end - begin, values.nbytes());
    std::memcpy(values.data_ptr(), bytes.data() + 8 + length + begin, values.nbytes());
    return values;
  };
  const auto ours = [](const std::vector<float>& values, std::int64_t rows) {
    return torch::tensor(values).view({rows, -1});
  };
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const LoraMatrix& matrix = lora_.matrices[i];
    const std::string module = "base_model.model.model.layers." +
                               std::to_string(matrices_[i].layer) + "." +
                               matrices_[i].target->module;
    EXPECT_TRUE(torch::equal(tensor(module + ".lora_A.weight"), ours(matrix.a, 2)));
    torch::Tensor up = tensor(module + ".lora_B.weight");
    const std::string name = matrices_[i].target->name;
    if (name == "q") up = converted(up, 4);
    if (name == "k") up = converted(up, 2);
    EXPECT_TRUE(torch::equal(up, ours(matrix.b, matrices_[i].outputs))) << module;
  }
}

TEST_F(LoraDirectory, HoldsPeftsConfigurationAndItsOwnRecord) {
  ASSERT_TRUE(write(Overwrite::kNo).ok());
  const Json config = Json::parse(text("adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], "CAUSAL_LM");
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["lora_alpha"], 4);
  EXPECT_TRUE(config["lora_alpha"].is_number_integer());
  EXPECT_EQ(config["target_modules"], Json({"k_proj", "q_proj", "v_proj"}));
  EXPECT_EQ(config["base_model_name_or_path"], "org/model");
  EXPECT_EQ(text("adapter.gguf"), lora_to_gguf(lora_));
  const auto read = read_lora_manifest(folder_ / "out");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->files.size(), 3U);
  Manifest expected = manifest_;
  expected.files = read->files;
  EXPECT_EQ(*read, expected);
  // The same adapter, the same bytes.
  const std::string learned = text("learned.json");
  ASSERT_TRUE(write(Overwrite::kYes).ok());
  EXPECT_EQ(text("learned.json"), learned);
}

TEST_F(LoraDirectory, AChangedFileIsNoticed) {
  ASSERT_TRUE(write(Overwrite::kNo).ok());
  std::ofstream(folder_ / "out/adapter.gguf", std::ios::app) << "x";
  EXPECT_EQ(read_lora_manifest(folder_ / "out").error().kind, ErrorKind::kCorrupt);
  fs::remove(folder_ / "out/adapter.gguf");
  EXPECT_EQ(read_lora_manifest(folder_ / "out").error().kind, ErrorKind::kNotFound);
}

TEST_F(LoraDirectory, ReplacesItsOwnKindAlone) {
  ASSERT_TRUE(write(Overwrite::kNo).ok());
  EXPECT_EQ(write(Overwrite::kNo).error().kind, ErrorKind::kExists);
  EXPECT_TRUE(write(Overwrite::kYes).ok());
  std::ofstream(folder_ / "out/thesis.txt") << "years of work";
  EXPECT_EQ(write(Overwrite::kYes).error().kind, ErrorKind::kDenied);
  EXPECT_TRUE(fs::exists(folder_ / "out/thesis.txt"));
}

}  // namespace
}  // namespace llmpatch
