# SPDX-License-Identifier: Apache-2.0
# moiety_library(NAME LAYER target [LINKS libraries...] [NEEDS packages...]
#                [REQUIRES packages...] HEADERS files... DESCRIPTION text)
#
# An installed library, shared and static, made of a layer's objects and of
# what they use from the layers below it. Either form shows the moiety_
# symbols that the public headers mark, and no others: the shared one because
# all else has hidden visibility, the static one because its objects are linked
# into one whose hidden symbols are then made local. So an app can use any
# name of ours for itself.
#
# LINKS are libraries that the app must have, NEEDS and REQUIRES their pkg-config
# names: those whose headers ours include, and those that only a static app links.
# Targets: NAME, NAME-static.

# The static libraries of ours that a target links, all the way down.
function(moiety_archives_of target out)
  set(found ${${out}})
  get_target_property(links ${target} LINK_LIBRARIES)
  get_target_property(interface ${target} INTERFACE_LINK_LIBRARIES)
  foreach(link ${links} ${interface})
    if(link MATCHES "^moiety_" AND TARGET ${link} AND NOT link IN_LIST found)
      get_target_property(type ${link} TYPE)
      if(type STREQUAL "STATIC_LIBRARY")
        list(APPEND found ${link})
      endif()
      moiety_archives_of(${link} found)
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

function(moiety_library name)
  cmake_parse_arguments(L "" "LAYER;DESCRIPTION" "LINKS;NEEDS;REQUIRES;HEADERS" ${ARGN})
  set(archives "")
  moiety_archives_of(${L_LAYER} archives)

  set(objects $<TARGET_OBJECTS:${L_LAYER}> $<TARGET_OBJECTS:moiety_quiet>)
  add_library(${name} SHARED ${objects})
  target_link_libraries(${name} PRIVATE ${archives} ${L_LINKS})
  target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR}/include)
  set_target_properties(${name} PROPERTIES
    LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_link_options(${name} PRIVATE -Wl,--as-needed)

  # One object of the layer and of whatever it needs from the archives.
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
  set(archive ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.a)
  set(files "")
  foreach(target ${archives})
    list(APPEND files $<TARGET_FILE:${target}>)
  endforeach()
  add_custom_command(OUTPUT ${archive}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_LINKER} -r -o ${object} ${objects}
            --start-group ${files} --end-group
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
    COMMAND ${CMAKE_AR} rcs ${archive} ${object}
    DEPENDS ${L_LAYER} ${archives} ${objects} ${files}
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name}-archive ALL DEPENDS ${archive})
  add_library(${name}-static STATIC IMPORTED GLOBAL)
  add_dependencies(${name}-static ${name}-archive)
  set_target_properties(${name}-static PROPERTIES
    IMPORTED_LOCATION ${archive}
    INTERFACE_INCLUDE_DIRECTORIES ${CMAKE_SOURCE_DIR}/include
    INTERFACE_LINK_LIBRARIES "${L_LINKS}")

  install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries
          NAMELINK_COMPONENT libraries)
  install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries)
  install(FILES ${L_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/moiety
          COMPONENT libraries)
  set(PC_NAME ${name})
  set(PC_DESCRIPTION ${L_DESCRIPTION})
  # From where the file lies to the prefix, so that a tree can be moved.
  file(RELATIVE_PATH PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REPLACE ";" " " PC_NEEDS "${L_NEEDS}")
  string(REPLACE ";" " " PC_REQUIRES "${L_REQUIRES}")
  configure_file(${CMAKE_SOURCE_DIR}/cmake/library.pc.in
                 ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libraries)
endfunction()
