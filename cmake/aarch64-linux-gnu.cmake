# SPDX-License-Identifier: Apache-2.0
# Toolchain file: builds for arm64 with Debian's cross compiler, and runs what
# was built under qemu-user. Programs are static, so that they need no libraries
# of that machine here.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
