# SPDX-License-Identifier: Apache-2.0
# dapgen(KIND SCHEMA STEM VARIABLE [DEPENDS other schemas])
#
# Makes one file of KIND (header, source or fuzz) from schemas/dap/SCHEMA.tls,
# for the header dap/STEM.h, and puts its path into VARIABLE. DAPGEN_ROOT is the
# include root. Called in the folder whose target compiles the file.
set(DAPGEN_ROOT ${CMAKE_BINARY_DIR}/generated)
file(GLOB DAPGEN_PROGRAM CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/dapgen/*.py)
set(DAPGEN_SUFFIX_header .h)
set(DAPGEN_SUFFIX_source .c)
set(DAPGEN_SUFFIX_fuzz _fuzz.c)

function(dapgen kind schema stem variable)
  cmake_parse_arguments(D "" "" "DEPENDS" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/schemas/dap)
  list(TRANSFORM D_DEPENDS REPLACE "(.+)" "${folder}/\\1.tls")
  set(out ${DAPGEN_ROOT}/dap/${stem}${DAPGEN_SUFFIX_${kind}})
  file(MAKE_DIRECTORY ${DAPGEN_ROOT}/dap)
  add_custom_command(OUTPUT ${out}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tools/dapgen/dapgen.py
      ${kind} ${folder}/${schema}.tls ${stem} ${out}
    DEPENDS ${DAPGEN_PROGRAM} ${folder}/${schema}.tls ${D_DEPENDS}
    VERBATIM)
  set(${variable} ${out} PARENT_SCOPE)
endfunction()
