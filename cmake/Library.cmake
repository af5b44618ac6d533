# libllmpatch.so: the rooms that include/llmpatch needs in one shared library that exports what is
# marked LLMPATCH_EXPORT and nothing else.
set(exports ${PROJECT_SOURCE_DIR}/src/api/exports.map)
add_library(llmpatch_library SHARED $<TARGET_OBJECTS:llmpatch_api>)
add_library(llmpatch::llmpatch ALIAS llmpatch_library)
target_include_directories(llmpatch_library INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_compile_features(llmpatch_library INTERFACE cxx_std_20)
target_link_libraries(llmpatch_library PUBLIC llama PRIVATE llmpatch_runtime llmpatch_trust
  llmpatch_warnings)
# Visibility alone lets instances of the standard library's templates out.
target_link_options(llmpatch_library PRIVATE "LINKER:--version-script=${exports}")
set_target_properties(llmpatch_library PROPERTIES
  OUTPUT_NAME llmpatch
  EXPORT_NAME llmpatch
  LINKER_LANGUAGE CXX
  LINK_DEPENDS ${exports}
  VERSION ${PROJECT_VERSION}
  SOVERSION 0
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
