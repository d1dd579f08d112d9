# SPDX-License-Identifier: Apache-2.0
# Copies of layers, compiled as the release preset compiles them, within a build
# of any preset: for tests that look at the code that an operator runs, and not
# at what a sanitizer makes of it.
include_guard(GLOBAL)

# moiety_release_flags()
#
# Gives all targets of the calling folder the release preset's flags, and no
# others. The debugging information changes nothing in the code.
macro(moiety_release_flags)
  set_property(DIRECTORY PROPERTY COMPILE_OPTIONS
               ${MOIETY_COMMON_OPTIONS} ${MOIETY_HARDENING_OPTIONS} -g)
  set_property(DIRECTORY PROPERTY COMPILE_DEFINITIONS
               _GNU_SOURCE ${MOIETY_RELEASE_DEFINITIONS})
  set_property(DIRECTORY PROPERTY LINK_OPTIONS "")
  string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
  set(CMAKE_C_FLAGS_${build_type} "-O3 -DNDEBUG")
endmacro()

# moiety_release_copy(LAYER ...)
#
# Makes release_LAYER of each moiety_LAYER, with copies of what it links. Called
# in a folder that has moiety_release_flags(); the first call for a layer makes
# the copy, which serves all folders.
function(moiety_release_copy)
  foreach(layer ${ARGN})
    if(NOT TARGET release_${layer})
      moiety_copy_layer(moiety_${layer} release_${layer})
    endif()
  endforeach()
endfunction()

# One source with the options that its own folder gives it.
function(moiety_copy_source target source out)
  get_target_property(folder ${target} SOURCE_DIR)
  if(NOT IS_ABSOLUTE ${source})
    set(source ${folder}/${source})
  endif()
  get_source_file_property(options ${source} TARGET_DIRECTORY ${target} COMPILE_OPTIONS)
  if(options)
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${options}")
  endif()
  set(${out} ${source} PARENT_SCOPE)
endfunction()

function(moiety_copy_layer target copy)
  get_target_property(sources ${target} SOURCES)
  get_target_property(links ${target} LINK_LIBRARIES)
  set(copied "")
  foreach(source ${sources})
    moiety_copy_source(${target} ${source} path)
    list(APPEND copied ${path})
  endforeach()
  add_library(${copy} STATIC ${copied})
  set_target_properties(${copy} PROPERTIES C_VISIBILITY_PRESET hidden)
  target_include_directories(${copy} PUBLIC $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
  if(NOT links)
    set(links "")
  endif()
  foreach(link ${links})
    if(link MATCHES "^moiety_(.+)$")
      moiety_release_copy(${CMAKE_MATCH_1})
      set(link release_${CMAKE_MATCH_1})
    endif()
    target_link_libraries(${copy} PUBLIC ${link})
  endforeach()
endfunction()
