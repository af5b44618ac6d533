# The files that serve/ builds into the program: what is in web/ (the page and what it loads),
# Chart.js (Debian: libjs-chart.js), and the description of the API.
find_file(LLMPATCH_CHART_JS chart.min.js REQUIRED
  PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist NO_CMAKE_FIND_ROOT_PATH)
set(serve_table ${PROJECT_BINARY_DIR}/serve_assets.inc)
file(GLOB web_files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/web
  ${PROJECT_SOURCE_DIR}/web/*.html ${PROJECT_SOURCE_DIR}/web/*.css ${PROJECT_SOURCE_DIR}/web/*.js
  ${PROJECT_SOURCE_DIR}/web/*.svg)
set(serve_files "${PROJECT_SOURCE_DIR}/docs/openapi.json" "${LLMPATCH_CHART_JS}")
set(serve_names "openapi.json" "chart.js")
foreach(file IN LISTS web_files)
  list(APPEND serve_files "${PROJECT_SOURCE_DIR}/web/${file}")
  list(APPEND serve_names "${file}")
endforeach()
# One line a file: ASSET(number, name, path).
set(table "")
set(number 0)
foreach(file name IN ZIP_LISTS serve_files serve_names)
  string(APPEND table "ASSET(${number}, \"${name}\", \"${file}\")\n")
  math(EXPR number "${number} + 1")
endforeach()
file(CONFIGURE OUTPUT ${serve_table} CONTENT "${table}" @ONLY)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/serve/assets.cc PROPERTIES
  OBJECT_DEPENDS "${serve_files};${serve_table}"
  COMPILE_DEFINITIONS "LLMPATCH_SERVE_ASSETS=\"${serve_table}\"")
