# SPDX-License-Identifier: Apache-2.0
# Compiler settings, third parties, and avow_module().

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
option(AVOW_WERROR "Treat warnings as errors" OFF)
option(AVOW_FUZZ "Build the libFuzzer programs (clang only)" OFF)
set(AVOW_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=: address,undefined or thread")

find_program(AVOW_CCACHE ccache)
if(AVOW_CCACHE)
  # Paths count from the build folder, so that every checkout on a machine shares its objects.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${AVOW_CCACHE})
endif()
find_program(AVOW_MOLD mold)
if(AVOW_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
if(AVOW_SANITIZE)
  add_compile_options(-fsanitize=${AVOW_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${AVOW_SANITIZE})
  if(AVOW_SANITIZE MATCHES thread)
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)  # it is what TSan cannot see
  endif()
  if(AVOW_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(zstd REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(RHONABWY REQUIRED IMPORTED_TARGET librhonabwy)

enable_testing()
include(GoogleTest)
set_property(GLOBAL PROPERTY JOB_POOLS heavy=2)  # 1.3 GB a compilation, see HOUSE.md 2.11

# Not -Wmaybe-uninitialized: g++ 12 is mistaken about variants and optionals under optimisation.
# clang-tidy's analyzer looks for the same.
function(avow_target_options target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wno-maybe-uninitialized
    $<$<BOOL:${AVOW_WERROR}>:-Werror>)
endfunction()

# avow_test(NAME SOURCES ... LIBRARIES ...): one test program, its cases known to CTest.
function(avow_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  avow_target_options(${name})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gtest_main GTest::gmock)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  gtest_discover_tests(${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()

# avow_module(NAME DEPENDS modules... LIBRARIES targets...): src/NAME as the static library
# avow_NAME, and its *_test.cc as the test program NAME_test. A folder that is not there is no module yet.
function(avow_module name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(NOT sources)
    return()
  endif()
  add_library(avow_${name} STATIC ${sources})
  avow_target_options(avow_${name})
  set(modules ${arg_DEPENDS})
  list(TRANSFORM modules PREPEND avow_)
  target_link_libraries(avow_${name} PUBLIC ${modules} ${arg_LIBRARIES})
  if(tests)
    avow_test(${name}_test SOURCES ${tests} LIBRARIES avow_${name})
  endif()
endfunction()
