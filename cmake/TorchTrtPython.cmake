# Finds the Python interpreter and, when libtorch is wanted, PyTorch's headers and libraries.
# Everything about torch comes from asking that interpreter, so that any wheel (CPU or CUDA, 2.11
# and later) works without a path being given. Defines torchtrt::torch (libtorch) and
# torchtrt::pybind11 (the copy that torch ships).
if(NOT Python_EXECUTABLE AND EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  set(Python_EXECUTABLE "${PROJECT_SOURCE_DIR}/.venv/bin/python" CACHE FILEPATH "")
endif()

if(NOT TORCHTRT_BUILD_TORCH)
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter)
  return()
endif()

find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)

execute_process(
  COMMAND
    "${Python_EXECUTABLE}" -c
    "import torch, torch.utils.cpp_extension as e; \
print(torch.__version__); print(';'.join(e.include_paths())); print(';'.join(e.library_paths())); \
print(int(torch.compiled_with_cxx11_abi()))"
  OUTPUT_VARIABLE torch_answer
  ERROR_VARIABLE torch_error
  RESULT_VARIABLE torch_failed
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(torch_failed)
  message(FATAL_ERROR "${Python_EXECUTABLE} can't import torch. Install it there "
                      "(pip install -r requirements.txt), or configure with "
                      "-DTORCHTRT_BUILD_TORCH=OFF.\n${torch_error}")
endif()
string(REPLACE ";" "\\;" torch_answer "${torch_answer}")
string(REPLACE "\n" ";" torch_answer "${torch_answer}")
list(GET torch_answer 0 TORCHTRT_TORCH_VERSION)
list(GET torch_answer 1 torch_include_dirs)
list(GET torch_answer 2 torch_library_dirs)
list(GET torch_answer 3 torch_cxx11_abi)
if(TORCHTRT_TORCH_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "PyTorch 2.11 or later is needed, found ${TORCHTRT_TORCH_VERSION}.")
endif()
list(GET torch_include_dirs 0 torch_include_dir)
message(STATUS "PyTorch ${TORCHTRT_TORCH_VERSION}: ${torch_include_dir}")

find_library(TORCHTRT_TORCH_CPU_LIBRARY torch_cpu PATHS ${torch_library_dirs} REQUIRED
             NO_DEFAULT_PATH)
find_library(TORCHTRT_TORCH_PYTHON_LIBRARY torch_python PATHS ${torch_library_dirs} REQUIRED
             NO_DEFAULT_PATH)
find_library(TORCHTRT_C10_LIBRARY c10 PATHS ${torch_library_dirs} REQUIRED NO_DEFAULT_PATH)

add_library(torchtrt_torch INTERFACE)
add_library(torchtrt::torch ALIAS torchtrt_torch)
target_include_directories(torchtrt_torch SYSTEM INTERFACE ${torch_include_dirs})
target_compile_definitions(torchtrt_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=${torch_cxx11_abi})
target_link_libraries(torchtrt_torch INTERFACE "${TORCHTRT_TORCH_CPU_LIBRARY}"
                                               "${TORCHTRT_C10_LIBRARY}")

add_library(torchtrt_pybind11 INTERFACE)
add_library(torchtrt::pybind11 ALIAS torchtrt_pybind11)
target_include_directories(torchtrt_pybind11 SYSTEM INTERFACE "${torch_include_dir}")
target_link_libraries(torchtrt_pybind11 INTERFACE Python::Module)
