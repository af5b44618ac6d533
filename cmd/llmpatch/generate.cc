// llmpatch generate: answers the prompts of a JSON-lines file, a chunk at a time.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "adapter_options.h"
#include "base/file_digest.h"
#include "base/join.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "command.h"
#include "output_file.h"
#include "patch_options.h"
#include "progress_bar.h"
#include "response_file.h"
#include "run_options.h"
#include "runtime/adapter_record.h"
#include "runtime/prompt.h"
#include "sampling_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  RunOptions run;
  PatchOptions patches;
  AdapterOptions adapters;
  SamplingOptions sampling;
  fs::path prompts, output;
  std::string system, format;
  std::size_t samples = 1, chunk = 64;
  bool force = false, json = false;
};

// Everything the job consists of, checked and loaded.
struct Job {
  std::vector<Prompt> prompts;
  AdmittedStack admitted;
  Adapters adapters;
  Sampling sampling;
  Compose compose = Compose::kSequential;
  PromptFormat format = PromptFormat::kChat;
  std::unique_ptr<Model> model;
  std::unique_ptr<Engine> engine;
  Stack stack;
  std::vector<Tokens> tokens;  // of each prompt
};

// What every line and the summary repeat; empty when there is nothing to warn of.
std::string joined_warnings(const Job& job) { return join(job.admitted.warnings(), "; "); }

// What the output's bytes depend on: the same settings go on with a partial output.
Result<Json> job_settings(const Options& options, const Job& job) {
  LLMPATCH_ASSIGN(const std::string model, sha256_of_file(options.run.model, "base model"));
  LLMPATCH_ASSIGN(const std::string prompts, sha256_of_file(options.prompts, "prompts"));
  Json patches = Json::array();
  for (const AdmittedPatch& patch : job.admitted.patches) {
    patches.push_back(sha256_hex(rows_to_safetensors(patch.patch.rows)));
  }
  LLMPATCH_ASSIGN(const Json adapters, describe(job.adapters));
  return Json{{"version", LLMPATCH_VERSION},
              {"model", model},
              {"adapters", adapters},
              {"prompts", prompts},
              {"patches", patches},
              {"warning", joined_warnings(job)},
              {"compose", options.patches.compose},
              {"system", options.system},
              {"format", options.format.empty() ? "default" : options.format},
              {"max_tokens", options.sampling.max_tokens},
              {"temperature", job.sampling.temperature},
              {"top_p", job.sampling.top_p},
              {"top_k", job.sampling.top_k},
              {"seed", job.sampling.seed},
              {"samples", options.samples},
              {"chunk", options.chunk},
              {"kv", options.run.kv},
              {"threads", options.run.threads}};
}

// What can be refused before a model is loaded.
Result<Job> check_job(const Options& options) {
  Job job;
  LLMPATCH_ASSIGN(job.sampling, options.sampling.sampling());
  LLMPATCH_ASSIGN(job.compose, options.patches.composition());
  LLMPATCH_ASSIGN(job.adapters, options.adapters.adapters());
  if (!options.format.empty()) LLMPATCH_TRY(parse_prompt_format(options.format));
  if (options.samples > 1 && job.sampling.temperature == 0) {
    return make_error(ErrorKind::kInvalidArgument, "generate",
                      "--samples: found more than one at temperature 0, where all would be equal",
                      "add --temperature 1");
  }
  LLMPATCH_TRY(check_output_file(options.output, overwrite_if(options.force),
                                 {options.prompts, options.run.model}));
  LLMPATCH_ASSIGN(job.prompts, read_prompts(options.prompts, "prompts"));
  if (job.prompts.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "generate",
                      "prompts " + options.prompts.string() + ": found none, expected one a line");
  }
  LLMPATCH_ASSIGN(job.admitted, options.patches.admit(options.run.model, options.force));
  return job;
}

// Loads the model and turns the prompts into tokens, so that a prompt that cannot run is named
// before any work is done.
Status load(const Options& options, Job& job) {
  LLMPATCH_ASSIGN(job.model, options.run.load_model());
  job.format = default_prompt_format(*job.model);
  if (!options.format.empty()) {
    LLMPATCH_ASSIGN(job.format, parse_prompt_format(options.format));
  }
  const std::size_t answer = static_cast<std::size_t>(options.sampling.max_tokens);
  std::size_t longest = 0;
  for (const Prompt& prompt : job.prompts) {
    const std::string where =
        options.prompts.string() + " line " + std::to_string(prompt.line) + ": ";
    auto tokens = encode_prompt(*job.model, prompt, job.format, options.system);
    if (!tokens.ok()) {
      Error error = std::move(tokens).error();
      error.message = where + error.message;
      return error;
    }
    if (tokens->size() + answer > job.model->context_length()) {
      return make_error(ErrorKind::kLimit, "generate",
                        where + "found " + std::to_string(tokens->size()) + " tokens and " +
                            std::to_string(answer) + " for the answer, expected at most " +
                            std::to_string(job.model->context_length()) + " in all",
                        "shorten the prompt or lower --max-tokens");
    }
    longest = std::max(longest, tokens->size() + answer);
    job.tokens.push_back(std::move(*tokens));
  }

  EngineOptions engine_options = options.run.engine_options();
  engine_options.context = static_cast<int>(longest);
  engine_options.adapters = job.adapters;
  LLMPATCH_ASSIGN(job.engine, Engine::create(*job.model, engine_options));
  job.stack.compose = job.compose;
  for (const AdmittedPatch& patch : job.admitted.patches) {
    LLMPATCH_ASSIGN(const PrefixId prefix, job.engine->add_prefix(patch.patch.rows));
    job.stack.prefixes.push_back(prefix);
  }
  return {};
}

// Runs prompts [first, last) and gives their output lines.
Result<std::string> run_chunk(const Options& options, Job& job, std::size_t first, std::size_t last,
                              const CancelFlag& cancel, const ProgressFn& progress) {
  std::vector<GenerateRequest> requests;
  for (std::size_t i = first; i < last; ++i) {
    GenerateRequest request;
    request.prompt = job.tokens[i];
    request.stack = job.stack;
    request.sampling = job.sampling;
    request.max_tokens = options.sampling.max_tokens;
    request.random_key = job.prompts[i].digest();
    for (std::uint32_t sample = 0; sample < options.samples; ++sample) {
      request.sampling.sample = sample;
      requests.push_back(request);
    }
  }
  LLMPATCH_ASSIGN(const std::vector<Completion> answers,
                  job.engine->generate(requests, &cancel, progress));

  const std::string warning = joined_warnings(job);
  std::string lines;
  auto answer = answers.begin();
  for (std::size_t i = first; i < last; ++i) {
    OrderedJson line = job.prompts[i].fields;
    if (options.samples == 1) {
      line["response"] = (answer++)->text;
    } else {
      OrderedJson& responses = line["responses"] = OrderedJson::array();
      for (std::size_t sample = 0; sample < options.samples; ++sample) {
        responses.push_back((answer++)->text);
      }
    }
    if (!warning.empty()) line["warning"] = warning;
    lines += json_line(line) + "\n";
  }
  return lines;
}

void print_plan(const Options& options, const Job& job, std::size_t done) {
  const std::size_t answers = (job.prompts.size() - done) * options.samples;
  const std::size_t chunks = (job.prompts.size() - done + options.chunk - 1) / options.chunk;
  std::string plan =
      "plan: " + count_text(answers, "answer") + ", at most " +
      count_text(answers * static_cast<std::size_t>(options.sampling.max_tokens), "token") +
      ", in " + count_text(chunks, "chunk");
  if (done > 0) plan += "; already done: " + count_text(done, "prompt");
  say(plan);
  say("memory: " + bytes_text(static_cast<double>(resident_bytes())) + " with model and cache, " +
      bytes_text(static_cast<double>(usable_memory().available)) + " still free");
}

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(Job job, check_job(options));
  ResponsePlan plan;
  plan.output = options.output;
  LLMPATCH_ASSIGN(plan.settings, job_settings(options, job));
  plan.lines = job.prompts.size();
  plan.chunk = options.chunk;
  plan.overwrite = overwrite_if(options.force);
  LLMPATCH_ASSIGN(ResponseFile responses, ResponseFile::open(std::move(plan)));
  LLMPATCH_TRY(load(options, job));
  print_plan(options, job, responses.done());

  const std::size_t total = job.prompts.size();
  const std::size_t resumed = responses.done();
  ProgressBar bar("generate", "answers");
  bar.update(resumed * options.samples, total * options.samples);
  while (responses.done() < total) {
    const std::size_t first = responses.done();
    const std::size_t last = std::min(total, first + options.chunk);
    const ProgressFn progress = [&](std::uint64_t done, std::uint64_t, const std::string& note) {
      bar.update(first * options.samples + done, total * options.samples, note);
    };
    auto lines = run_chunk(options, job, first, last, cancel, progress);
    if (!lines.ok()) {
      Error error = std::move(lines).error();
      if (error.kind == ErrorKind::kCancelled && first > 0) {
        error.hint = std::to_string(first) + " of " + std::to_string(total) +
                     " prompts are kept; the same command goes on from there";
      }
      return error;
    }
    LLMPATCH_TRY(responses.append(*lines, last - first));
    const EngineStats& stats = job.engine->stats();
    if (first == resumed && last < total && stats.seconds > 0) {
      bar.clear();
      const double pace = stats.seconds / static_cast<double>(last - first);
      say("after the first chunk: " +
          std::to_string(
              static_cast<int>(static_cast<double>(stats.generated_tokens) / stats.seconds)) +
          " tokens a second, about " + duration_text(pace * static_cast<double>(total - last)) +
          " to go");
    }
  }
  bar.clear();
  LLMPATCH_TRY(responses.finish());

  const EngineStats& stats = job.engine->stats();
  say("wrote " + options.output.string());
  if (!options.json) return {};
  Json summary = {{"output", options.output.string()},
                  {"prompts", total},
                  {"resumed", resumed},
                  {"prompt_tokens", stats.prompt_tokens},
                  {"generated_tokens", stats.generated_tokens},
                  {"seconds", stats.seconds}};
  if (const std::string warning = joined_warnings(job); !warning.empty()) {
    summary["warning"] = warning;
  }
  return print(json_line(summary) + "\n");
}

}  // namespace

RunFn declare_generate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->run.declare(app);
  options->patches.declare(app);
  options->adapters.declare(app);
  app.add_option("--prompts", options->prompts,
                 "JSON lines with `prompt` (text) or `messages`; other fields are kept")
      ->required();
  app.add_option("-o,--output", options->output,
                 "JSON lines: the same with `response` (or `responses`) added")
      ->required();
  app.add_option("--system", options->system, "System message put before every conversation");
  app.add_option("--format", options->format,
                 "chat or raw; chat where the model has a template, else raw");
  options->sampling.declare(app);
  app.add_option("--samples", options->samples, "Answers to each prompt")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app.add_option("--chunk", options->chunk,
                 "Prompts in a chunk; finished chunks survive an interruption")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_flag("--force", options->force,
               "Replace an existing output; run a patch on a model it was not made for");
  app.add_flag("--json", options->json, "Print a summary as JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
