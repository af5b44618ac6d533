// make_model: model files for tests. A developer's program, never installed.
#include <CLI/CLI.hpp>
#include <iostream>

#include "model_maker.h"

namespace {

// Prints the error, if any, and gives its exit code.
int finish(const llmpatch::Status& status) {
  if (status.ok()) return 0;
  std::cerr << "make_model: error: " << status.error().to_string() << "\n";
  return llmpatch::error_kind_info(status.error().kind).exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes model files for llmpatch's tests", "make_model");
  app.require_subcommand(1);
  std::string in, out, type, architecture = "llama";
  llmpatch::RandomUpdate update;
  llmpatch::TinyModel tiny;
  bool untied = false;

  CLI::App* dequantize = app.add_subcommand("dequantize", "Every tensor as float32");
  CLI::App* requantize = app.add_subcommand("requantize", "Another quantisation, by llama.cpp");
  CLI::App* merge = app.add_subcommand("merge", "With a random low-rank change of the attention");
  CLI::App* random = app.add_subcommand("tiny", "A tiny random model");
  for (CLI::App* command : {dequantize, requantize, merge}) {
    command->add_option("IN", in, "Model to read")->required();
  }
  for (CLI::App* command : {dequantize, requantize, merge, random}) {
    command->add_option("OUT", out, "Model to write")->required();
  }
  requantize->add_option("TYPE", type, "q8_0, q4_k_m, q3_k_m, f16, ...")->required();
  merge->add_option("TYPE", type, "Type of the matrices: f32, f16, q8_0, q4_1, own")->required();
  merge->add_option("--rank", update.rank, "Rank of the change")->capture_default_str();
  merge->add_option("--share", update.share, "Its norm as a share of the matrix's")
      ->capture_default_str();
  merge->add_option("--seed", update.seed, "Seed")->capture_default_str();
  random->add_option("--seed", tiny.seed, "Seed")->capture_default_str();
  random->add_option("--layers", tiny.layers, "Layers")->capture_default_str();
  random->add_option("--arch", architecture, "Architecture")
      ->check(CLI::IsMember({"llama"}))
      ->capture_default_str();
  random->add_flag("--untied", untied, "With an output matrix of its own");
  random->add_flag("--other-words", tiny.other_words, "With another vocabulary");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  tiny.tied = !untied;
  if (dequantize->parsed()) return finish(llmpatch::dequantize_model(in, out));
  if (requantize->parsed()) return finish(llmpatch::requantize_model(in, out, type));
  if (merge->parsed()) return finish(llmpatch::merge_model(in, out, type, update));
  return finish(llmpatch::tiny_model(out, tiny));
}
