# Compiler settings and the helpers that every folder's CMakeLists.txt uses.

find_program(SHOAL_CCACHE ccache)
if(SHOAL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SHOAL_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${SHOAL_CCACHE})
endif()

find_program(SHOAL_LLD NAMES ld.lld)
if(SHOAL_LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_library(shoal_flags INTERFACE)
target_compile_options(shoal_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wno-unused-command-line-argument>
  $<$<BOOL:${SHOAL_WERROR}>:-Werror>)
if(SHOAL_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # In instrumented code g++ 12 sees uninitialised members of boost::optional where there are none; and Boost.Asio has
  # fences, which TSan does not know: it has locks as well.
  target_compile_options(shoal_flags INTERFACE -Wno-maybe-uninitialized -Wno-tsan)
endif()

# Hardening that costs little. Assertions on stored data are SHOAL_CHECKs and stay on everywhere.
add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)
add_link_options(-Wl,-z,relro,-z,now -pie)
if(SHOAL_SANITIZE)
  add_compile_options(-fsanitize=${SHOAL_SANITIZE} -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=${SHOAL_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
if(SHOAL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# shoal_library(NAME SOURCES ... LINK ...): a static library of one folder. Sources are listed, never globbed.
function(shoal_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE shoal_flags ${ARG_PRIVATE_LINK})
endfunction()

# shoal_executable(NAME SOURCES ... LINK ...)
function(shoal_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} shoal_flags)
endfunction()

# shoal_test(NAME SOURCES ... LINK ...): one GoogleTest binary of one mirrored folder; one CTest entry.
function(shoal_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest GTest::gtest_main shoal_flags)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  # Debian's gRPC, Protobuf and Abseil are not instrumented; without this option TSan reports races inside them.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS unit
    ENVIRONMENT "TSAN_OPTIONS=ignore_noninstrumented_modules=1 halt_on_error=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# shoal_fuzzer(NAME SOURCES ... LINK ...): one libFuzzer binary.
function(shoal_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} shoal_flags)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(NOT TARGET fuzzers)
    add_custom_target(fuzzers)
  endif()
  add_dependencies(fuzzers ${name})
endfunction()

# shoal_benchmark(NAME SOURCES ... LINK ...): one Google Benchmark binary.
function(shoal_benchmark name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} benchmark::benchmark benchmark::benchmark_main shoal_flags)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  if(NOT TARGET micro_benchmarks)
    add_custom_target(micro_benchmarks)
  endif()
  add_dependencies(micro_benchmarks ${name})
endfunction()
