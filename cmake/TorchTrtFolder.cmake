# One folder of core/ = one object library. Sources are globbed, so adding a file needs no edit
# here; a folder without sources defines no target and is skipped by everyone who names it.

# The variants every <name>.isa.cpp is compiled for. Code in such a file lives in a namespace named
# by the macro TORCHTRT_ISA, which keeps the variants apart at link time.
set(TORCHTRT_ISAS generic)
if(TORCHTRT_X86)
  list(APPEND TORCHTRT_ISAS avx2 avx512 avx512_bf16)
  set(TORCHTRT_ISA_FLAGS_generic -march=x86-64-v2)
  set(TORCHTRT_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c)
  set(TORCHTRT_ISA_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c)
  # g++ 12's own AVX-512 headers start undefined vectors from themselves and warn about it.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND TORCHTRT_ISA_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  set(TORCHTRT_ISA_FLAGS_avx512_bf16 ${TORCHTRT_ISA_FLAGS_avx512} -mavx512bf16)
endif()

# Sanitized SIMD code takes minutes to compile, so by default one variant is sanitized, the widest that
# every test machine can run; the tests of such a build are told to use it (tests/core/CMakeLists.txt).
set(sanitized_default generic)
if(TORCHTRT_X86)
  set(sanitized_default avx2)
endif()
set(TORCHTRT_SANITIZE_ISAS ${sanitized_default}
    CACHE STRING "Variants that TORCHTRT_SANITIZE applies to, of ${TORCHTRT_ISAS}; the last is run")

# torchtrt_embed_texts(<folder> <out>): sets <out> to a generated C++ file that holds the CUDA C++ texts
# of <folder>/cuda/src, or to "" when there are none.
function(torchtrt_embed_texts folder out)
  set(${out} "" PARENT_SCOPE)
  file(GLOB_RECURSE texts CONFIGURE_DEPENDS "${folder}/cuda/src/*.cu" "${folder}/cuda/src/*.cuh")
  if(NOT texts)
    return()
  endif()
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/embedded_texts.cpp")
  add_custom_command(
    OUTPUT "${generated}"
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${folder}/cuda/src" "-DOUT=${generated}"
            -P "${PROJECT_SOURCE_DIR}/cmake/EmbedTexts.cmake"
    DEPENDS ${texts} "${PROJECT_SOURCE_DIR}/cmake/EmbedTexts.cmake"
    VERBATIM)
  set(${out} "${generated}" PARENT_SCOPE)
endfunction()

# torchtrt_add_folder(<name> [DEPENDS <folder>...] [LIBRARIES <target>...])
# Makes torchtrt_<name> from core/<name>/**.cpp and records what it depends on, for the linkers.
function(torchtrt_add_folder name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
  set_property(GLOBAL PROPERTY TORCHTRT_DEPENDS_${name} ${arg_DEPENDS})
  set_property(GLOBAL PROPERTY TORCHTRT_LIBRARIES_${name} ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY TORCHTRT_FOLDERS ${name})

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/core/${name}/*.cpp")
  set(isa_sources ${sources})
  list(FILTER isa_sources INCLUDE REGEX "\\.isa\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "\\.isa\\.cpp$")
  set(amx_sources ${sources})
  list(FILTER amx_sources INCLUDE REGEX "\\.amx\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "\\.amx\\.cpp$")

  torchtrt_embed_texts("${PROJECT_SOURCE_DIR}/core/${name}" embedded)
  list(APPEND sources ${embedded})

  set(object_targets "")
  if(sources)
    add_library(torchtrt_${name} OBJECT ${sources})
    target_link_libraries(torchtrt_${name} PRIVATE torchtrt::flags ${arg_LIBRARIES})
    list(APPEND object_targets torchtrt_${name})
  endif()
  if(isa_sources)
    foreach(isa IN LISTS TORCHTRT_ISAS)
      set(target torchtrt_${name}_${isa})
      add_library(${target} OBJECT ${isa_sources})
      # -O3 also in debug builds: unoptimised SIMD code is too slow to test with.
      target_compile_options(${target} PRIVATE -O3 ${TORCHTRT_ISA_FLAGS_${isa}})
      target_compile_definitions(${target} PRIVATE TORCHTRT_ISA=${isa} TORCHTRT_ISA_${isa}=1)
      target_link_libraries(${target} PRIVATE torchtrt::flags ${arg_LIBRARIES})
      if(TORCHTRT_SANITIZE AND NOT isa IN_LIST TORCHTRT_SANITIZE_ISAS)
        target_compile_options(${target} PRIVATE -fno-sanitize=all -O1 -g0)
      endif()
      list(APPEND object_targets ${target})
    endforeach()
  endif()
  # Code for tile registers: compiled once, reached only where the machine has them.
  if(amx_sources AND TORCHTRT_X86)
    add_library(torchtrt_${name}_amx OBJECT ${amx_sources})
    target_compile_options(torchtrt_${name}_amx PRIVATE -O3 ${TORCHTRT_ISA_FLAGS_avx512_bf16}
                                                        -mamx-tile -mamx-bf16)
    target_link_libraries(torchtrt_${name}_amx PRIVATE torchtrt::flags ${arg_LIBRARIES})
    if(TORCHTRT_SANITIZE)
      target_compile_options(torchtrt_${name}_amx PRIVATE -fno-sanitize=all)
    endif()
    list(APPEND object_targets torchtrt_${name}_amx)
  endif()
  set_property(GLOBAL PROPERTY TORCHTRT_OBJECTS_${name} ${object_targets})
endfunction()

# torchtrt_closure(<out> <folder>...): the folders and everything they depend on, each once.
function(torchtrt_closure out)
  set(pending ${ARGN})
  set(closure "")
  while(pending)
    list(POP_FRONT pending folder)
    if(NOT folder IN_LIST closure)
      list(APPEND closure ${folder})
      get_property(depends GLOBAL PROPERTY TORCHTRT_DEPENDS_${folder})
      list(APPEND pending ${depends})
    endif()
  endwhile()
  set(${out} ${closure} PARENT_SCOPE)
endfunction()

# torchtrt_link_folders(<target> <folder>...): puts the objects of those folders and of their
# dependencies into the target. Objects, not archives: nothing a registry needs can be dropped.
function(torchtrt_link_folders target)
  torchtrt_closure(folders ${ARGN})
  target_link_libraries(${target} PRIVATE torchtrt::flags)
  foreach(folder IN LISTS folders)
    get_property(objects GLOBAL PROPERTY TORCHTRT_OBJECTS_${folder})
    get_property(libraries GLOBAL PROPERTY TORCHTRT_LIBRARIES_${folder})
    foreach(object IN LISTS objects)
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
    endforeach()
    target_link_libraries(${target} PRIVATE ${libraries})
  endforeach()
endfunction()
