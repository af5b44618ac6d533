#include "option_file.h"

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }

bool may_repeat(const CLI::Option& option) { return option.get_expected_max() > 1; }

// As it would stand on a command line.
Result<std::vector<std::string>> texts_of(const CLI::Option& option, const Json& value) {
  const auto wrong = [&](const char* expected) {
    return make_error(ErrorKind::kInvalidArgument, "options",
                      "found " + quote(json_line(value)) + ", expected " + expected);
  };
  if (is_flag(option)) {
    if (!value.is_boolean()) return wrong("true or false");
    return std::vector<std::string>{value.get<bool>() ? "true" : "false"};
  }
  if (value.is_string()) {
    if (value.get_ref<const std::string&>().empty()) return wrong("a text that is not empty");
    return std::vector<std::string>{value.get<std::string>()};
  }
  if (value.is_number()) return std::vector<std::string>{json_line(value)};
  if (!may_repeat(option)) return wrong("a text or a number");
  std::vector<std::string> texts;
  const bool fits =
      value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& each) {
        return each.is_string() && !each.get_ref<const std::string&>().empty();
      });
  if (!fits) return wrong("a list of texts");
  for (const Json& each : value) texts.push_back(each.get<std::string>());
  return texts;
}

}  // namespace

OptionValues given_options(const CLI::App& app) {
  OptionValues values;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty()) continue;
    values[option->get_lnames().front()] = option->results();
  }
  return values;
}

Result<OptionValues> read_option_file(const std::filesystem::path& path, const CLI::App& app) {
  const auto refused = [&](const std::string& message) {
    return make_error(ErrorKind::kInvalidArgument, "options", path.string() + ": " + message,
                      "its members are the options of the command line, without dashes");
  };
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxBytes, "options"));
  const Result<Json> json = parse_json(text, path.string());
  if (!json.ok()) return refused(json.error().message);
  if (!json->is_object()) return refused("found no object, expected one of options");
  OptionValues values;
  for (const auto& [name, value] : json->items()) {
    const CLI::Option* option = name == "help" || name == "config" || name.starts_with('-')
                                    ? nullptr
                                    : app.get_option_no_throw("--" + name);
    if (option == nullptr) return refused("found the unknown member " + quote(name));
    if (value.is_null()) continue;
    Result<std::vector<std::string>> texts = texts_of(*option, value);
    if (!texts.ok()) return refused(name + ": " + texts.error().message);
    if (!texts->empty()) values[name] = std::move(*texts);
  }
  return values;
}

Status parse_options(const OptionValues& values, CLI::App& app) {
  std::vector<std::string> arguments;
  for (const auto& [name, texts] : values) {
    for (const std::string& text : texts) arguments.push_back("--" + name + "=" + text);
  }
  std::reverse(arguments.begin(), arguments.end());  // the order that CLI11 asks for
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return make_error(ErrorKind::kInvalidArgument, "command line", error.what(),
                      "llmpatch serve --help lists what there is");
  }
  return {};
}

}  // namespace llmpatch
