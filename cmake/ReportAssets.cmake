# The files that eval/ builds into the program for its report: Chart.js (Debian: libjs-chart.js) and
# the page's own style and script.
find_file(LLMPATCH_CHART_JS chart.min.js REQUIRED
  PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist NO_CMAKE_FIND_ROOT_PATH)
set(report ${PROJECT_SOURCE_DIR}/src/eval/report)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/eval/report_assets.cc PROPERTIES
  OBJECT_DEPENDS "${LLMPATCH_CHART_JS};${report}/report.css;${report}/report.js"
  COMPILE_DEFINITIONS "LLMPATCH_CHART_JS=\"${LLMPATCH_CHART_JS}\";\
LLMPATCH_REPORT_STYLE=\"${report}/report.css\";LLMPATCH_REPORT_SCRIPT=\"${report}/report.js\"")
