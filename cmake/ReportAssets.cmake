# The style of the pages that eval/ writes is built into the program.
set(report_style ${PROJECT_SOURCE_DIR}/src/eval/report/report.css)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/eval/report_assets.cc PROPERTIES
  OBJECT_DEPENDS "${report_style}"
  COMPILE_DEFINITIONS "LLMPATCH_REPORT_STYLE=\"${report_style}\"")
