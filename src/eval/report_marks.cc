#include "eval/report_marks.h"

#include <array>

#include "eval/html.h"

namespace llmpatch {
namespace {

constexpr std::size_t kColours = 6;  // in report.css beside the grey c0

constexpr std::array<std::string_view, 5> kShapes{
    "M0,-5.5L5,4H-5z",                                                // triangle
    "M-4.2,-4.2h8.4v8.4h-8.4z",                                       // square
    "M0,-6L6,0L0,6L-6,0z",                                            // diamond
    "M0,5.5L5,-4H-5z",                                                // triangle, down
    "M-1.8,-5.4h3.6v3.6h3.6v3.6h-3.6v3.6h-3.6v-3.6h-3.6v-3.6h3.6z"};  // plus
constexpr std::string_view kCircle = "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0";

constexpr std::array<std::string_view, 4> kDashes{"", "7 3", "2 3", "9 3 2 3"};

// The system's number among those that are no model alone.
std::size_t place_among_others(const std::vector<ReportSystem>& systems, std::size_t system) {
  std::size_t place = 0;
  for (std::size_t i = 0; i < system; ++i) place += systems[i].base ? 0 : 1;
  return place;
}

}  // namespace

std::string system_letter(std::size_t system) {
  std::string letters;
  for (std::size_t rest = system + 1; rest > 0; rest = (rest - 1) / 26) {
    letters.insert(letters.begin(), static_cast<char>('A' + (rest - 1) % 26));
  }
  return letters;
}

std::string colour_class(const std::vector<ReportSystem>& systems, std::size_t system) {
  if (system >= systems.size()) return "cn";
  if (systems[system].base) return "c0";
  return "c" + std::to_string(1 + place_among_others(systems, system) % kColours);
}

std::string_view shape_path(const std::vector<ReportSystem>& systems, std::size_t system) {
  if (system >= systems.size() || systems[system].base) return kCircle;
  return kShapes[place_among_others(systems, system) % kShapes.size()];
}

std::string_view dashes(std::size_t system) {
  return system == kNoSystem ? "" : kDashes[system % kDashes.size()];
}

std::string system_html(const std::vector<ReportSystem>& systems, std::size_t system) {
  if (system >= systems.size()) return "all systems";
  return "<svg class=\"mark " + colour_class(systems, system) +
         "\" width=\"14\" height=\"14\" aria-hidden=\"true\"><path transform=\"translate(7 7)\" "
         "d=\"" +
         std::string(shape_path(systems, system)) + "\"/></svg> <b class=\"letter\">" +
         system_letter(system) + "</b> <bdi>" + html_escape(systems[system].label) + "</bdi>";
}

}  // namespace llmpatch
