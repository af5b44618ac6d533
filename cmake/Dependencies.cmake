# Everything llmpatch links, as imported targets. Headers of libraries are SYSTEM: their warnings
# are not ours.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(LibArchive REQUIRED)
find_package(CLI11 REQUIRED)

if(NOT LLMPATCH_VERIFY_ONLY)
  find_package(CURL 7.85 REQUIRED)  # CURLOPT_PROTOCOLS_STR
  find_package(SQLite3 3.37 REQUIRED)  # STRICT tables
  find_package(Boost 1.74 REQUIRED)  # headers alone: Asio and Beast
  find_package(spdlog REQUIRED)
  # prometheus-cpp by its core alone: its own CMake package asks for the server that it brings.
  find_path(LLMPATCH_PROMETHEUS_INCLUDE prometheus/registry.h REQUIRED)
  find_library(LLMPATCH_PROMETHEUS_CORE prometheus-cpp-core REQUIRED)
  add_library(prometheus-cpp::core UNKNOWN IMPORTED)
  set_target_properties(prometheus-cpp::core PROPERTIES
    IMPORTED_LOCATION "${LLMPATCH_PROMETHEUS_CORE}"
    INTERFACE_INCLUDE_DIRECTORIES "${LLMPATCH_PROMETHEUS_INCLUDE}")
  # llama.cpp as scripts/setup built it (cmake/llama); CMAKE_PREFIX_PATH names the place.
  find_package(llama CONFIG REQUIRED)
  get_filename_component(llama_prefix "${llama_DIR}/../../.." ABSOLUTE)
  find_library(LLMPATCH_LLAMA_CHAT llama-chat REQUIRED HINTS "${llama_prefix}/lib")
  # llama.cpp's `common`, for chat templates and JSON schemas: static, private to runtime/. Its
  # headers carry another nlohmann/json.hpp, so only the files that need them get to see them.
  set(LLMPATCH_LLAMA_CHAT_INCLUDE "${llama_prefix}/include/llama-common")
  add_library(llmpatch::llama-chat STATIC IMPORTED)
  set_target_properties(llmpatch::llama-chat PROPERTIES
    IMPORTED_LOCATION "${LLMPATCH_LLAMA_CHAT}"
    INTERFACE_LINK_LIBRARIES "llama;Threads::Threads")
endif()

if(LLMPATCH_LEARN AND NOT LLMPATCH_VERIFY_ONLY)
  # LibTorch by its parts: its own CMake package drags in compiler flags and, on Debian, packages
  # that are not installed.
  find_path(LLMPATCH_TORCH_INCLUDE torch/script.h REQUIRED HINTS "${LIBTORCH}/include")
  find_library(LLMPATCH_TORCH torch REQUIRED HINTS "${LIBTORCH}/lib")
  find_library(LLMPATCH_TORCH_CPU torch_cpu REQUIRED HINTS "${LIBTORCH}/lib")
  find_library(LLMPATCH_C10 c10 REQUIRED HINTS "${LIBTORCH}/lib")
  # at::parallel_for is a header: compiled without OpenMP it runs on one thread and says nothing.
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  add_library(llmpatch::torch INTERFACE IMPORTED)
  target_include_directories(llmpatch::torch SYSTEM INTERFACE
    "${LLMPATCH_TORCH_INCLUDE}" "${LLMPATCH_TORCH_INCLUDE}/torch/csrc/api/include")
  target_link_libraries(llmpatch::torch INTERFACE
    "${LLMPATCH_TORCH}" "${LLMPATCH_TORCH_CPU}" "${LLMPATCH_C10}" OpenMP::OpenMP_CXX)
endif()

if(LLMPATCH_TESTS)
  find_package(GTest REQUIRED)
endif()
