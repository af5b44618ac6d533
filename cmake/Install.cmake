# cmake --install: the program and, with it, the public library, its headers and CMake package, and
# the llama.cpp that both were built with. Everything finds the rest by relative paths, so the tree
# can be moved. The folders' names are fixed: llama.cpp's own package files count on them.
include(CMakePackageConfigHelpers)

set(run_path "$ORIGIN/../lib")
if(LIBTORCH)
  list(APPEND run_path "${LIBTORCH}/lib")
endif()
set_target_properties(llmpatch PROPERTIES INSTALL_RPATH "${run_path}")
install(TARGETS llmpatch RUNTIME DESTINATION bin)
install(FILES LICENSE DESTINATION share/licenses/llmpatch)
if(LLMPATCH_VERIFY_ONLY)
  return()
endif()

set_target_properties(llmpatch_library PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS llmpatch_library EXPORT llmpatchTargets LIBRARY DESTINATION lib)
install(DIRECTORY include/llmpatch DESTINATION include)

set(package lib/cmake/llmpatch)
configure_package_config_file(cmake/llmpatchConfig.cmake.in llmpatchConfig.cmake
  INSTALL_DESTINATION ${package} NO_CHECK_REQUIRED_COMPONENTS_MACRO NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(llmpatchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/llmpatchConfig.cmake
  ${PROJECT_BINARY_DIR}/llmpatchConfigVersion.cmake DESTINATION ${package})
install(EXPORT llmpatchTargets NAMESPACE llmpatch:: DESTINATION ${package})
configure_file(cmake/llmpatch.pc.in llmpatch.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/llmpatch.pc DESTINATION lib/pkgconfig)

file(GLOB llama_headers ${llama_prefix}/include/llama*.h ${llama_prefix}/include/ggml*.h
  ${llama_prefix}/include/gguf.h)
file(GLOB llama_libraries ${llama_prefix}/lib/libllama.so* ${llama_prefix}/lib/libggml*.so*)
install(FILES ${llama_headers} DESTINATION include)
install(FILES ${llama_libraries} DESTINATION lib)
install(DIRECTORY ${llama_prefix}/lib/cmake/llama ${llama_prefix}/lib/cmake/ggml
  DESTINATION lib/cmake)
install(DIRECTORY ${llama_prefix}/share/licenses/llama.cpp DESTINATION share/licenses OPTIONAL)
