# Language level, warnings, optimisation, sanitizers and build accelerators shared by every target.
# Defines the interface target torchtrt::flags, which is for our own code only.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "g++ >= 12 is needed, found ${CMAKE_CXX_COMPILER_VERSION}. "
                      "Install a newer one and set CXX=g++-12.")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

find_program(TORCHTRT_CCACHE ccache)
if(TORCHTRT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache asks for to cache files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${TORCHTRT_CCACHE}")
endif()
find_program(TORCHTRT_MOLD mold)
if(TORCHTRT_MOLD)
  check_linker_flag(CXX "-fuse-ld=mold" TORCHTRT_HAS_MOLD)
  if(TORCHTRT_HAS_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(TORCHTRT_X86 ON)
else()
  set(TORCHTRT_X86 OFF)
endif()

add_library(torchtrt_flags INTERFACE)
add_library(torchtrt::flags ALIAS torchtrt_flags)
# Contraction is off so that a fused kernel and its reference round alike; kernels that want FMA use
# intrinsics. The two other flags keep every value and let comparisons and sqrt be vectorised.
target_compile_options(
  torchtrt_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -ffp-contract=off -fno-math-errno
                           -fno-trapping-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlapping copies inside std::string where there are none.
  target_compile_options(torchtrt_flags INTERFACE -Wno-restrict)
endif()
# Each compiler has false alarms of its own; a user's must not stop the build.
if(TORCHTRT_WERROR AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION
                                                                 VERSION_LESS 13)
  target_compile_options(torchtrt_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(torchtrt_flags INTERFACE -Wthread-safety)
endif()
if(TORCHTRT_X86)
  target_compile_definitions(torchtrt_flags INTERFACE TORCHTRT_X86=1)
endif()
target_include_directories(torchtrt_flags INTERFACE "${PROJECT_SOURCE_DIR}")

if(TORCHTRT_SERIAL)
  target_compile_definitions(torchtrt_flags INTERFACE TORCHTRT_SERIAL=1)
  target_compile_options(torchtrt_flags INTERFACE -Wno-unknown-pragmas)
else()
  # libgomp.so.1 is also torch's OpenMP runtime, so both share one thread pool in a process.
  target_compile_options(torchtrt_flags INTERFACE -fopenmp)
  target_link_options(torchtrt_flags INTERFACE -fopenmp)
endif()

if(TORCHTRT_SANITIZE)
  target_compile_options(torchtrt_flags INTERFACE -fsanitize=${TORCHTRT_SANITIZE}
                                                  -fno-sanitize-recover=all)
  target_link_options(torchtrt_flags INTERFACE -fsanitize=${TORCHTRT_SANITIZE})
endif()

find_package(Threads REQUIRED)
target_link_libraries(torchtrt_flags INTERFACE Threads::Threads)
