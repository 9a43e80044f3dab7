# The three functions that the tree is built with:
#
#   sankofa_proto_library(NAME [DEPENDS lib...] PROTOS file...)   generated in the build tree only
#   sankofa_library(NAME [DEPENDS lib...] [MIGRATIONS file...] SOURCES file...)
#   sankofa_test(NAME [DEPENDS lib...] [LABELS label...] SOURCES file...)
#
# A service may depend on `platform` and on proto libraries and on nothing else; sankofa_service checks it.

# google/rpc/*.proto of googleapis-common-protos (scripts/setup puts them there).
if(DEFINED ENV{SANKOFA_GOOGLEAPIS})
  set(default_googleapis $ENV{SANKOFA_GOOGLEAPIS})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(default_googleapis $ENV{XDG_CACHE_HOME}/sankofa/googleapis)
else()
  set(default_googleapis $ENV{HOME}/.cache/sankofa/googleapis)
endif()
set(SANKOFA_GOOGLEAPIS ${default_googleapis} CACHE PATH "Folder that holds google/rpc/status.proto")
if(NOT EXISTS ${SANKOFA_GOOGLEAPIS}/google/rpc/status.proto)
  message(FATAL_ERROR "google/rpc/status.proto is not in ${SANKOFA_GOOGLEAPIS}: run scripts/setup")
endif()

set(SANKOFA_GENERATED ${CMAKE_BINARY_DIR}/generated)

# One precompiled header for all targets: what nearly every file includes. Generated code has another one of the same
# content, because it is built without sanitizers, and tests one with GoogleTest in it.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/pch.cc CONTENT "")
function(sankofa_precompiled name)
  add_library(${name} STATIC ${CMAKE_BINARY_DIR}/pch.cc)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf absl::status absl::statusor absl::strings absl::time
                                       absl::flat_hash_map Threads::Threads)
  target_precompile_headers(
    ${name} PRIVATE <algorithm> <functional> <map> <memory> <optional> <string> <string_view> <vector>
    <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/time/time.h> <google/protobuf/message.h>
    <google/protobuf/map_field.h> <google/protobuf/repeated_field.h> <google/protobuf/timestamp.pb.h>
    <google/protobuf/generated_enum_reflection.h> <google/protobuf/wire_format.h> ${ARGN})
  target_compile_options(${name} PUBLIC -fpch-preprocess)
endfunction()
sankofa_precompiled(sankofa_generated_pch)
sankofa_precompiled(sankofa_pch)
sankofa_precompiled(sankofa_test_pch <gmock/gmock.h> <gtest/gtest.h>)
foreach(pch sankofa_pch sankofa_test_pch)
  target_compile_options(${pch} PRIVATE ${SANKOFA_SANITIZE_OPTIONS})
endforeach()
target_link_libraries(sankofa_test_pch PRIVATE GTest::gmock)

# What is written here, as opposed to generated.
function(sankofa_own name)
  target_link_libraries(${name} PRIVATE sankofa_pch)
  target_compile_options(${name} PRIVATE ${SANKOFA_SANITIZE_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM sankofa_pch)
endfunction()

function(sankofa_proto_library name)
  cmake_parse_arguments(arg "" "ROOT" "DEPENDS;PROTOS" ${ARGN})
  if(NOT arg_ROOT)
    set(arg_ROOT ${CMAKE_SOURCE_DIR}/proto)
  endif()
  set(sources "")
  foreach(proto ${arg_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(out ${SANKOFA_GENERATED}/${stem}.pb)
    add_custom_command(
      OUTPUT ${out}.cc ${out}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${SANKOFA_GENERATED}
      COMMAND protobuf::protoc --experimental_allow_proto3_optional --cpp_out=${SANKOFA_GENERATED}
              -I${arg_ROOT} -I${CMAKE_SOURCE_DIR}/proto -I${SANKOFA_GOOGLEAPIS} ${arg_ROOT}/${proto}
      DEPENDS ${arg_ROOT}/${proto}
      COMMENT "protoc ${proto}"
      VERBATIM)
    list(APPEND sources ${out}.cc ${out}.h)
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} SYSTEM PUBLIC ${SANKOFA_GENERATED})
  target_link_libraries(${name} PUBLIC sankofa_generated_pch ${arg_DEPENDS})
  target_precompile_headers(${name} REUSE_FROM sankofa_generated_pch)
  target_compile_options(${name} PRIVATE -w)
endfunction()

# Embeds *.sql as a function `sankofa::<name>::Migrations()`.
function(sankofa_embed_migrations name output)
  set(text "#include <string>\n#include <vector>\n\n#include \"services/platform/service/definition.h\"\n\n")
  string(APPEND text "namespace sankofa::${name} {\nstd::vector<service::Migration> Migrations() {\n  return {\n")
  foreach(file ${ARGN})
    file(READ ${file} sql)
    get_filename_component(base ${file} NAME)
    string(APPEND text "      {\"${base}\", R\"~sql~(${sql})~sql~\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  string(APPEND text "  };\n}\n}  // namespace sankofa::${name}\n")
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
endfunction()

function(sankofa_library name)
  cmake_parse_arguments(arg "" "" "DEPENDS;SOURCES" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC sankofa_pch ${arg_DEPENDS})
  sankofa_own(${name})
endfunction()

# A service: links the platform and protos, and nothing of another service.
function(sankofa_service name)
  cmake_parse_arguments(arg "" "" "DEPENDS;SOURCES;MIGRATIONS" ${ARGN})
  foreach(dependency ${arg_DEPENDS})
    if(NOT dependency MATCHES "_proto$" AND NOT dependency STREQUAL "platform" AND NOT dependency MATCHES "::")
      message(FATAL_ERROR "service ${name} links ${dependency}: a service links platform and protos only")
    endif()
  endforeach()
  foreach(source ${arg_SOURCES})
    file(STRINGS ${source} foreign REGEX "#include \"services/[a-z]+/")
    foreach(line ${foreign})
      if(NOT line MATCHES "services/(platform|${name})/")
        message(FATAL_ERROR "service ${name}: ${source}: ${line}: a service never includes another's headers")
      endif()
    endforeach()
  endforeach()
  list(TRANSFORM arg_MIGRATIONS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set(embedded ${CMAKE_CURRENT_BINARY_DIR}/${name}_migrations.cc)
  sankofa_embed_migrations(${name} ${embedded} ${arg_MIGRATIONS})
  # By itself, for who wants to know what a database should have and nothing else of the service.
  sankofa_library(${name}_migrations DEPENDS platform SOURCES ${embedded})
  sankofa_library(${name} DEPENDS platform ${name}_migrations ${arg_DEPENDS} SOURCES ${arg_SOURCES})
endfunction()

# A test binary, registered with ctest. sankofa_check_tests fails the configure step for a *_test.cc that is in none.
function(sankofa_test name)
  cmake_parse_arguments(arg "" "" "DEPENDS;SOURCES;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE sankofa_test_pch ${arg_DEPENDS} GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${SANKOFA_SANITIZE_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM sankofa_test_pch)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
  foreach(source ${arg_SOURCES})
    get_filename_component(path ${source} ABSOLUTE)
    set_property(GLOBAL APPEND PROPERTY SANKOFA_TEST_SOURCES ${path})
  endforeach()
endfunction()

function(sankofa_check_tests)
  get_property(registered GLOBAL PROPERTY SANKOFA_TEST_SOURCES)
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*_test.cc)
  foreach(file ${all})
    if(NOT file IN_LIST registered)
      message(FATAL_ERROR "${file} is registered with no target: it would never run")
    endif()
  endforeach()
endfunction()
