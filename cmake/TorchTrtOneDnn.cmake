# Finds oneDNN >= 3.2 (C++ headers and the OpenMP CPU library) and defines torchtrt::dnnl.
# The default place is the prefix of the Python environment, where the wheels onednn-cpu-gomp and
# onednn-devel-cpu-gomp put it; any other is found through CMAKE_PREFIX_PATH or dnnl_ROOT.
# torch's include folder holds dnnl.hpp of another version, so it is never searched.
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c "import sys; print(sys.prefix)"
  OUTPUT_VARIABLE python_prefix
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

find_path(TORCHTRT_DNNL_INCLUDE_DIR dnnl.hpp HINTS "$ENV{dnnl_ROOT}/include"
                                                   "${python_prefix}/include")
find_library(TORCHTRT_DNNL_LIBRARY NAMES dnnl libdnnl.so.3 HINTS "$ENV{dnnl_ROOT}/lib"
                                                                 "${python_prefix}/lib")
if(NOT TORCHTRT_DNNL_INCLUDE_DIR OR NOT TORCHTRT_DNNL_LIBRARY)
  message(FATAL_ERROR "oneDNN not found. Install its wheels into the Python environment "
                      "(pip install onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0) "
                      "or set dnnl_ROOT.")
endif()
find_file(dnnl_version_header NAMES oneapi/dnnl/dnnl_version.h dnnl_version.h NO_CACHE
          PATHS "${TORCHTRT_DNNL_INCLUDE_DIR}" NO_DEFAULT_PATH REQUIRED)
file(STRINGS "${dnnl_version_header}" dnnl_version_lines
     REGEX "^#define DNNL_VERSION_(MAJOR|MINOR)[ \t]+[0-9]+")
string(REGEX REPLACE "[^0-9;]" "" dnnl_version "${dnnl_version_lines}")
string(REPLACE ";" "." dnnl_version "${dnnl_version}")
if(dnnl_version VERSION_LESS 3.2)
  message(FATAL_ERROR "oneDNN 3.2 or later is needed, found ${dnnl_version} in "
                      "${TORCHTRT_DNNL_INCLUDE_DIR}.")
endif()
message(STATUS "oneDNN ${dnnl_version}: ${TORCHTRT_DNNL_LIBRARY}")

add_library(torchtrt_dnnl INTERFACE)
add_library(torchtrt::dnnl ALIAS torchtrt_dnnl)
target_include_directories(torchtrt_dnnl SYSTEM INTERFACE "${TORCHTRT_DNNL_INCLUDE_DIR}")
target_link_libraries(torchtrt_dnnl INTERFACE "${TORCHTRT_DNNL_LIBRARY}")
