# SPDX-License-Identifier: Apache-2.0
# moiety_layer(NAME SOURCES ... LINKS ...)
#
# One folder of src/ is one static library, moiety_NAME, which can include its
# own headers and those of the layers in LINKS, and no others: each layer has
# an include root of its own that holds a single link to its folder, so
# `#include "store/store.h"` does not resolve in a layer that does not link
# moiety_store. A forbidden include does not build.
function(moiety_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/layer/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${name} ${root}/${name} SYMBOLIC)
  if(LAYER_SOURCES)
    add_library(moiety_${name} STATIC ${LAYER_SOURCES})
    target_include_directories(moiety_${name} PUBLIC ${root})
    target_link_libraries(moiety_${name} PUBLIC ${LAYER_LINKS} PRIVATE ${LAYER_PRIVATE_LINKS})
    # The installed libraries are made of these: they show what is marked alone.
    set_target_properties(moiety_${name} PROPERTIES C_VISIBILITY_PRESET hidden)
  else()
    add_library(moiety_${name} INTERFACE)
    target_include_directories(moiety_${name} INTERFACE ${root})
    target_link_libraries(moiety_${name} INTERFACE ${LAYER_LINKS})
  endif()
endfunction()

# moiety_test(NAME SOURCES ... LINKS ... [LABELS ...])
#
# One Criterion program, run by ctest under NAME. The program runs its cases
# in-process order but each in a process of its own.
function(moiety_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LINKS;LABELS" ${ARGN})
  string(REPLACE "/" "_" target test_${name})
  add_executable(${target} ${T_SOURCES})
  target_link_libraries(${target} PRIVATE ${T_LINKS} criterion)
  target_compile_definitions(${target} PRIVATE
    MOIETY_TEST_VECTORS="${CMAKE_SOURCE_DIR}/test/vectors")
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/test)
  add_test(NAME ${name} COMMAND ${target} -j1)
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT 600)
endfunction()
