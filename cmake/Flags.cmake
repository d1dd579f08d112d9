# SPDX-License-Identifier: Apache-2.0
# Compiler flags shared by every target.
add_compile_definitions(_GNU_SOURCE)
set(MOIETY_COMMON_OPTIONS
  -Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wformat=2
  "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>" "$<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>"
  -fno-strict-aliasing -fno-common)
# GCC's own copies and fills of a few hundred bytes are by string instructions,
# which take longer to begin than the C library's take altogether.
include(CheckCCompilerFlag)
check_c_compiler_flag(-mstringop-strategy=libcall MOIETY_HAS_STRINGOP_STRATEGY)
if(MOIETY_HAS_STRINGOP_STRATEGY)
  list(APPEND MOIETY_COMMON_OPTIONS -mstringop-strategy=libcall)
endif()
if(MOIETY_WERROR)
  list(APPEND MOIETY_COMMON_OPTIONS -Werror)
endif()
# What a build without sanitizers has besides; cmake/ReleaseCopy.cmake too.
set(MOIETY_HARDENING_OPTIONS -fstack-protector-strong)
set(MOIETY_RELEASE_DEFINITIONS _FORTIFY_SOURCE=2)

add_compile_options(${MOIETY_COMMON_OPTIONS})
if(MOIETY_SANITIZE)
  add_compile_options(
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=address,undefined)
else()
  add_compile_options(${MOIETY_HARDENING_OPTIONS})
  add_compile_definitions("$<$<CONFIG:Release>:${MOIETY_RELEASE_DEFINITIONS}>")
endif()
