# cmake -DROOT=<folder> -DOUT=<file> -P EmbedTexts.cmake
# Writes a C++ file that defines EmbeddedFiles() of core/kernels/cuda/sources.h: every .cu and .cuh
# under ROOT, as raw string literals.
file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/*.cu" "${ROOT}/*.cuh")
list(SORT files)
set(body "#include \"core/kernels/cuda/sources.h\"\n\n")
string(APPEND body "namespace torch_tensorrt::core::kernels::cuda {\nnamespace {\n\n")
string(APPEND body "constexpr device::cuda::SourceHeader kFiles[] = {\n")
foreach(file IN LISTS files)
  file(READ "${ROOT}/${file}" text)
  string(APPEND body "{\"${file}\", R\"trt_text(${text})trt_text\"},\n")
endforeach()
string(APPEND body "};\n\n}  // namespace\n\n")
string(APPEND body "std::span<const device::cuda::SourceHeader> EmbeddedFiles() { return kFiles; }\n\n")
string(APPEND body "}  // namespace torch_tensorrt::core::kernels::cuda\n")
file(WRITE "${OUT}" "${body}")
