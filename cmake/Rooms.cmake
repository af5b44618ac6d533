# llmpatch_precompile(<target> <header>...)
#
# Compiles headers that most files of a target read once for all of them. Headers of libraries only:
# every file still includes what it uses, as builds with LLMPATCH_PCH=OFF show.
function(llmpatch_precompile target)
  if(LLMPATCH_PCH)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# llmpatch_room(<name> [ROOMS <room>...] [LINK <arguments of target_link_libraries>...])
#
# Makes the static library llmpatch_<name> of src/<name>/*.cc and, with LLMPATCH_TESTS, one test
# program of src/<name>/*_test.cc. Headers are included as "<room>/file.h" and only those of the
# rooms it links (and of what these link) can be found: each room has an include root of its own.
function(llmpatch_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LINK" ${ARGN})
  set(headers <filesystem> <functional> <map> <memory> <optional> <span> <string> <vector>
    <nlohmann/json.hpp>)
  if(name STREQUAL learn)
    list(APPEND headers <torch/types.h>)
  endif()
  set(source ${PROJECT_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${source}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  set(root ${PROJECT_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${source} ${root}/${name} SYMBOLIC)

  list(TRANSFORM ROOM_ROOMS PREPEND llmpatch_)
  if(sources)
    add_library(llmpatch_${name} STATIC ${sources})
    target_include_directories(llmpatch_${name} PUBLIC ${root})
    target_link_libraries(llmpatch_${name} PUBLIC ${ROOM_ROOMS} ${ROOM_LINK}
      PRIVATE llmpatch_warnings)
    set_target_properties(llmpatch_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
      CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    llmpatch_precompile(llmpatch_${name} ${headers})
  else()
    add_library(llmpatch_${name} INTERFACE)
    target_include_directories(llmpatch_${name} INTERFACE ${root})
    target_link_libraries(llmpatch_${name} INTERFACE ${ROOM_ROOMS})
  endif()

  if(LLMPATCH_TESTS AND tests)
    # Tests see the libraries that their room sees.
    set(libraries ${ROOM_LINK})
    list(REMOVE_ITEM libraries PUBLIC PRIVATE INTERFACE)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE llmpatch_${name} ${libraries} llmpatch_warnings
      GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      LLMPATCH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # What takes a test's time is in the rooms; its own code is only compiled, once.
    target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
    llmpatch_precompile(${name}_test ${headers} <gtest/gtest.h>)
    set_target_properties(${name}_test PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    include(GoogleTest)
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()
