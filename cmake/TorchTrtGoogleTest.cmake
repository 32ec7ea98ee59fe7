# Finds GoogleTest and defines torchtrt::gtest_main. The system's package is used where there is
# one. PyPI, where everything else comes from, has no GoogleTest, so otherwise the pinned release is
# downloaded. Without either, TORCHTRT_REQUIRE_TESTS decides between an error and a loud warning.
option(TORCHTRT_REQUIRE_TESTS "Fail the configuration when GoogleTest can't be had" OFF)
set(TORCHTRT_GTEST_VERSION 1.17.0)
set(TORCHTRT_GTEST_URL
    "https://github.com/google/googletest/releases/download/v${TORCHTRT_GTEST_VERSION}/googletest-${TORCHTRT_GTEST_VERSION}.tar.gz"
    CACHE STRING "Where the GoogleTest release comes from; a file:// address works too")
set(TORCHTRT_GTEST_SHA256 65fab701d9829d38cb77c14acdc431d2108bfdbf8979e40eb8ae567edf10b27c
    CACHE STRING "Checksum of that archive")

# Sets <out> to the unpacked source folder, or to "" after saying why there is none.
function(torchtrt_download_gtest out)
  set(folder "${CMAKE_BINARY_DIR}/_deps")
  set(archive "${folder}/googletest-${TORCHTRT_GTEST_VERSION}.tar.gz")
  set(source "${folder}/googletest-${TORCHTRT_GTEST_VERSION}")
  set(${out} "" PARENT_SCOPE)
  if(NOT EXISTS "${source}/CMakeLists.txt")
    file(DOWNLOAD "${TORCHTRT_GTEST_URL}" "${archive}" STATUS status TIMEOUT 60)
    list(GET status 0 failed)
    if(NOT failed)
      file(SHA256 "${archive}" digest)
      if(NOT digest STREQUAL TORCHTRT_GTEST_SHA256)
        message(FATAL_ERROR "${TORCHTRT_GTEST_URL} has SHA256 ${digest}, "
                            "expected ${TORCHTRT_GTEST_SHA256}.")
      endif()
      file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
    else()
      file(REMOVE "${archive}")
      list(GET status 1 reason)
      message(STATUS "GoogleTest download failed: ${reason}")
      return()
    endif()
  endif()
  set(${out} "${source}" PARENT_SCOPE)
endfunction()

set(TORCHTRT_HAVE_GTEST ON)
find_package(GTest QUIET)
if(GTest_FOUND)
  message(STATUS "GoogleTest ${GTest_VERSION} (system)")
else()
  torchtrt_download_gtest(gtest_source)
  if(gtest_source)
    set(INSTALL_GTEST OFF CACHE BOOL "" FORCE)
    set(BUILD_GMOCK OFF CACHE BOOL "" FORCE)
    add_subdirectory("${gtest_source}" "${CMAKE_BINARY_DIR}/_deps/gtest-build" EXCLUDE_FROM_ALL
                     SYSTEM)
    message(STATUS "GoogleTest ${TORCHTRT_GTEST_VERSION} (downloaded)")
  else()
    set(TORCHTRT_HAVE_GTEST OFF)
    set(remedy "Install libgtest-dev (or your system's name for it), or set TORCHTRT_GTEST_URL.")
    if(TORCHTRT_REQUIRE_TESTS)
      message(FATAL_ERROR "GoogleTest not found, so the C++ tests can't be built. ${remedy}")
    endif()
    message(WARNING "GoogleTest not found: the C++ tests are NOT built. ${remedy}")
  endif()
endif()

if(TORCHTRT_HAVE_GTEST)
  add_library(torchtrt_gtest_main INTERFACE)
  add_library(torchtrt::gtest_main ALIAS torchtrt_gtest_main)
  target_link_libraries(torchtrt_gtest_main INTERFACE GTest::gtest GTest::gtest_main)
endif()
