// llmpatch doctor: is this machine fit to learn and run patches?
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/memory.h"
#include "command.h"
#include "gguf/gguf_file.h"
#include "learn_support.h"
#include "machine.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<fs::path> models;
  bool json = false;
};

enum class Health { kGood, kNote, kBad };

struct Finding {
  std::string subject;
  Health health = Health::kGood;
  std::string text;
  std::string hint;  // what to do about it
};

const char* health_name(Health health) {
  switch (health) {
    case Health::kGood:
      return "ok";
    case Health::kNote:
      return "note";
    case Health::kBad:
      return "bad";
  }
  return "";
}

// The file whose matrix product LibTorch calls; empty when there is none in this program.
std::string blas_library() {
  void* const function = ::dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info{};
  if (function == nullptr || ::dladdr(function, &info) == 0) return "";
  std::error_code code;
  const fs::path real = fs::canonical(info.dli_fname, code);
  return code ? info.dli_fname : real.string();
}

Finding check_blas() {
  // The reference BLAS reaches 2, OpenBLAS 50 and more on any core of the last ten years.
  constexpr double kTooSlow = 10;
  const auto speed = measure_matrix_product();
  if (!speed) return {"BLAS", Health::kNote, "learning is not built in, nothing else needs it", ""};
  char text[64];
  std::snprintf(text, sizeof text, "%.0f billion operations a second", *speed);
  Finding finding{"BLAS", Health::kGood, text, ""};
  if (const std::string library = blas_library(); !library.empty()) {
    finding.text += " (" + library + ")";
  }
  if (*speed < kTooSlow) {
    finding.health = Health::kBad;
    finding.hint = "install libopenblas0-pthread, or give this process an idle core";
  }
  return finding;
}

Finding check_processor() {
  const Processor processor = machine_processor();
  Finding finding{
      "processor", Health::kGood,
      processor.name + ", " + count_text(static_cast<std::uint64_t>(processor.cores), "core") + ":",
      ""};
  constexpr std::pair<const char*, const char*> kFeatures[] = {{"avx2", "AVX2"},
                                                               {"avx512f", "AVX512"},
                                                               {"avx512_vnni", "AVX512-VNNI"},
                                                               {"avx512_bf16", "AVX512-BF16"},
                                                               {"amx_bf16", "AMX-BF16"}};
  for (const auto& [flag, name] : kFeatures) {
    finding.text += std::string(" ") + (processor.has(flag) ? "" : "no ") + name +
                    (flag == kFeatures[3].first ? "" : ",");
  }
  if (!processor.has("avx2")) {
    finding.health = Health::kNote;
    finding.hint = "models run several times slower without AVX2";
  }
  return finding;
}

Finding check_memory() {
  constexpr double kLittle = 4.0 * (1 << 30);  // what learning on the demo's model stays below
  const Memory memory = usable_memory();
  const auto available = static_cast<double>(memory.available);
  Finding finding{
      "memory", Health::kGood,
      bytes_text(available) + " free of " + bytes_text(static_cast<double>(memory.total)), ""};
  if (available < kLittle) {
    finding.health = Health::kNote;
    finding.hint = "learning wants 4 GiB even for a small model";
  }
  return finding;
}

Finding check_model(const fs::path& path) {
  const std::string subject = "model " + path.string();
  const auto file = GgufFile::open(path);
  if (!file.ok()) return {subject, Health::kBad, file.error().message, file.error().hint};
  const auto architecture = file->architecture();
  if (!architecture.ok()) return {subject, Health::kBad, architecture.error().message, ""};
  return {subject, Health::kGood,
          *architecture + ", " + std::to_string(file->tensors().size()) + " tensors, " +
              bytes_text(static_cast<double>(file->bytes().size())),
          ""};
}

// The models named, or else those scripts/setup has put under models/.
std::vector<Finding> check_models(std::vector<fs::path> paths) {
  if (paths.empty()) {
    std::error_code code;
    for (const auto& entry : fs::directory_iterator("models", code)) {
      if (entry.path().extension() == ".gguf") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
  }
  if (paths.empty()) {
    return {{"models", Health::kNote, "found none under models/", "scripts/setup fetches two"}};
  }
  std::vector<Finding> findings;
  for (const fs::path& path : paths) findings.push_back(check_model(path));
  return findings;
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    std::string line = health_name(finding.health);
    line.resize(6, ' ');
    text += line + finding.subject + ": " + finding.text + "\n";
    if (!finding.hint.empty()) text += "      hint: " + finding.hint + "\n";
  }
  return text;
}

std::string findings_json(const std::vector<Finding>& findings) {
  Json array = Json::array();
  for (const Finding& finding : findings) {
    array.push_back({{"subject", finding.subject},
                     {"health", health_name(finding.health)},
                     {"text", finding.text},
                     {"hint", finding.hint}});
  }
  return json_pretty(array);
}

Status run(const Options& options) {
  std::vector<Finding> findings = {check_blas(), check_processor(), check_memory()};
  for (Finding& finding : check_models(options.models)) findings.push_back(std::move(finding));
  LLMPATCH_TRY(print(options.json ? findings_json(findings) : findings_text(findings)));
  const auto bad = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.health == Health::kBad;
  });
  if (bad == 0) return {};
  return make_error(ErrorKind::kUnmet, "doctor",
                    "checks: found " + std::to_string(bad) + " bad, expected none");
}

}  // namespace

RunFn declare_doctor(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--model", options->models, "Model to check; repeatable (default: models/*.gguf)")
      ->allow_extra_args(false);
  app.add_flag("--json", options->json, "Print the findings as JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
