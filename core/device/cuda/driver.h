// The CUDA driver's functions that this project uses, found in libcuda.so.1 at run time. The ABI is
// declared here, so that building needs no CUDA toolkit (internal to core/device/cuda).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/util/status.h"

namespace torch_tensorrt::core::device::cuda {

using CuDevice = int;
using CuPointer = unsigned long long;
using CuContext = struct CUctx_st*;
using CuModule = struct CUmod_st*;
using CuFunction = struct CUfunc_st*;
using CuStream = struct CUstream_st*;
using CuEvent = struct CUevent_st*;
using CuGraph = struct CUgraph_st*;
using CuGraphExec = struct CUgraphExec_st*;

// Values of the driver's enums.
inline constexpr int kCuErrorOutOfMemory = 2;
inline constexpr int kCuErrorDeinitialized = 4;
inline constexpr int kDeviceMultiprocessors = 16;
inline constexpr int kDeviceL2Bytes = 38;
inline constexpr int kDeviceComputeMajor = 75;
inline constexpr int kDeviceComputeMinor = 76;
inline constexpr int kDeviceSharedOptIn = 97;
inline constexpr int kFunctionMaxThreads = 0;
inline constexpr int kFunctionStaticShared = 1;
inline constexpr int kFunctionRegisters = 4;
inline constexpr int kFunctionMaxDynamicShared = 8;
inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr unsigned kHostPortable = 1;
inline constexpr unsigned kHostDeviceMapped = 2;
inline constexpr int kCaptureThreadLocal = 1;
inline constexpr int kCaptureRelaxed = 2;
inline constexpr int kTensorUint16 = 1;
inline constexpr int kTensorUint32 = 2;
inline constexpr int kTensorSwizzle128 = 3;
inline constexpr int kTensorPromote128 = 2;
inline constexpr int kLaunchCluster = 4;
inline constexpr int kLaunchOverlapPrevious = 6;

struct CuLaunchAttribute {
  int id = 0;
  int padding = 0;
  union Value {
    char bytes[64];
    unsigned cluster[3];
    int flag;
  } value = {};
};
static_assert(sizeof(CuLaunchAttribute) == 72);

struct CuLaunchConfig {
  unsigned grid[3] = {1, 1, 1};
  unsigned block[3] = {1, 1, 1};
  unsigned shared_bytes = 0;
  CuStream stream = nullptr;
  CuLaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};
static_assert(sizeof(CuLaunchConfig) == 56);

// All return 0 on success.
struct Driver {
  int (*init)(unsigned flags);
  int (*error_name)(int code, const char** text);
  int (*error_string)(int code, const char** text);
  int (*driver_version)(int*);
  int (*device_count)(int*);
  int (*device_get)(CuDevice*, int ordinal);
  int (*device_name)(char*, int size, CuDevice);
  int (*device_attribute)(int*, int attribute, CuDevice);
  int (*device_memory)(size_t*, CuDevice);
  int (*context_retain)(CuContext*, CuDevice);
  int (*context_release)(CuDevice);
  int (*context_get)(CuContext*);
  int (*context_set)(CuContext);
  int (*module_load)(CuModule*, const void* image);
  int (*module_unload)(CuModule);
  int (*module_function)(CuFunction*, CuModule, const char* name);
  int (*function_get)(int*, int attribute, CuFunction);
  int (*function_set)(CuFunction, int attribute, int value);
  int (*launch)(const CuLaunchConfig*, CuFunction, void** params, void** extra);
  int (*tensor_map_tiled)(void* map, int type, unsigned rank, void* data, const uint64_t* dims,
                          const uint64_t* strides, const unsigned* box, const unsigned* steps,
                          int interleave, int swizzle, int promotion, int fill);
  int (*tensor_map_windows)(void* map, int type, unsigned rank, void* data, const uint64_t* dims,
                            const uint64_t* strides, const int* lower, const int* upper,
                            unsigned channels, unsigned pixels, const unsigned* steps,
                            int interleave, int swizzle, int promotion, int fill);
  int (*memory_allocate)(CuPointer*, size_t);
  int (*memory_free)(CuPointer);
  int (*host_allocate)(void**, size_t, unsigned flags);
  int (*host_device_pointer)(CuPointer*, void*, unsigned flags);
  int (*host_free)(void*);
  int (*copy_to_device)(CuPointer, const void*, size_t);
  int (*copy_to_host)(void*, CuPointer, size_t);
  int (*copy_on_device)(CuPointer, CuPointer, size_t, CuStream);
  int (*fill)(CuPointer, unsigned char, size_t, CuStream);
  int (*stream_create)(CuStream*, unsigned flags);
  int (*stream_destroy)(CuStream);
  int (*stream_synchronize)(CuStream);
  int (*stream_wait)(CuStream, CuEvent, unsigned flags);
  int (*stream_is_capturing)(CuStream, int* status);
  int (*capture_begin)(CuStream, int mode);
  int (*capture_end)(CuStream, CuGraph*);
  int (*capture_mode_exchange)(int* mode);  // of this thread
  int (*event_create)(CuEvent*, unsigned flags);
  int (*event_destroy)(CuEvent);
  int (*event_record)(CuEvent, CuStream);
  int (*event_elapsed)(float* milliseconds, CuEvent, CuEvent);
  int (*graph_instantiate)(CuGraphExec*, CuGraph, unsigned long long flags);
  int (*graph_launch)(CuGraphExec, CuStream);
  int (*graph_exec_destroy)(CuGraphExec);
  int (*graph_destroy)(CuGraph);
};

// The driver, loaded and initialised on first use; Unsupported or DeviceError with what is missing.
// Thread-safe; the same answer for the life of the process.
const Result<Driver>& LoadDriver();

// Ok for 0; else `what` with the driver's name and text of the error: ResourceExhausted when memory
// is short, DeviceError otherwise.
Status DriverStatus(const Driver& driver, int code, std::string_view what);

}  // namespace torch_tensorrt::core::device::cuda
