// What the CUDA provider must be told to believe in a device: memory, streams, properties.
//
// Signatures as the CUDA Runtime API and cuBLAS documentation give them
// (https://docs.nvidia.com/cuda). Host memory plays the device; copies are counted; kernels are counted
// and not run. The device answers as compute capability 8.0. Every other function that the provider
// imports is generated beside this file and returns success.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

enum Counter { kAllocations, kAllocatedBytes, kToDevice, kToDeviceBytes, kFromDevice, kFromDeviceBytes,
               kOnDevice, kOnDeviceBytes, kLaunches, kCounters };
static std::atomic<int64_t> counters[kCounters];
static int allocate(void** memory, size_t size) {
  *memory = aligned_alloc(256, (size + 511) / 256 * 256);
  counters[kAllocations] += 1;
  counters[kAllocatedBytes] += static_cast<int64_t>(size);
  return *memory ? 0 : 2;
}
static int copy(void* to, const void* from, size_t size, int kind) {  // cudaMemcpyKind 1, 2, 3
  static const Counter first[] = {kCounters, kToDevice, kFromDevice, kOnDevice};
  memmove(to, from, size);
  if (kind >= 1 && kind <= 3) { counters[first[kind]] += 1; counters[first[kind] + 1] += static_cast<int64_t>(size); }
  return 0;
}
static int handle(void** made) { *made = calloc(1, 256); return 0; }
constexpr size_t kMemory = size_t{8} << 30;

extern "C" {
void simcuda_counters(int64_t* out) { for (int i = 0; i < kCounters; ++i) out[i] = counters[i]; }
void simcuda_reset() { for (auto& counter : counters) counter = 0; }

int cudaGetDeviceCount(int* count) { *count = 1; return 0; }
int cudaGetDevice(int* device) { *device = 0; return 0; }
int cudaRuntimeGetVersion(int* version) { *version = 13000; return 0; }
int cudaDriverGetVersion(int* version) { *version = 13000; return 0; }
int cudaMemGetInfo(size_t* available, size_t* total) { *available = *total = kMemory; return 0; }
int cudaDeviceGetAttribute(int* value, int attribute, int) {
  // 75 and 76: compute capability; 16: multiprocessors (cudaDeviceAttr)
  *value = attribute == 75 ? 8 : attribute == 76 ? 0 : attribute == 16 ? 64 : 1024;
  return 0;
}
int cudaGetDeviceProperties(char* properties, int) {
  // offsets of cudaDeviceProp in CUDA 13: after name[256], uuid[16], luid[8] and the luid's mask
  memset(properties, 0, 900);
  strcpy(properties, "Simulated GPU");
  memcpy(properties + 288, &kMemory, sizeof kMemory);                                 // totalGlobalMem
  auto set = [properties](int offset, int value) { memcpy(properties + offset, &value, sizeof value); };
  set(296, 49152); set(304, 65536); set(308, 32); set(320, 1024);  // shared memory, registers, warp, threads
  set(360, 8); set(364, 0); set(388, 64);                          // capability 8.0, multiprocessors
  return 0;
}
int cudaMalloc(void** memory, size_t size) { return allocate(memory, size); }
int cudaMallocFromPoolAsync(void** memory, size_t size, void*, void*) { return allocate(memory, size); }
int cudaMallocAsync(void** memory, size_t size, void*) { return allocate(memory, size); }
int cudaFree(void* memory) { free(memory); return 0; }
int cudaFreeAsync(void* memory, void*) { free(memory); return 0; }
int cudaHostAlloc(void** memory, size_t size, unsigned) { *memory = malloc(size); return *memory ? 0 : 2; }
int cudaMallocHost(void** memory, size_t size) { *memory = malloc(size); return *memory ? 0 : 2; }
int cudaFreeHost(void* memory) { free(memory); return 0; }
int cudaMemcpy(void* to, const void* from, size_t size, int kind) { return copy(to, from, size, kind); }
int cudaMemcpyAsync(void* to, const void* from, size_t size, int kind, void*) { return copy(to, from, size, kind); }
int cudaMemset(void* memory, int value, size_t size) { memset(memory, value, size); return 0; }
int cudaMemsetAsync(void* memory, int value, size_t size, void*) { memset(memory, value, size); return 0; }
int cudaMemPoolCreate(void** pool, const void*) { return handle(pool); }
int cudaStreamCreate(void** stream) { return handle(stream); }
int cudaStreamCreateWithFlags(void** stream, unsigned) { return handle(stream); }
int cudaStreamDestroy(void* stream) { free(stream); return 0; }
int cudaStreamIsCapturing(void*, int* capturing) { *capturing = 0; return 0; }
int cudaEventCreate(void** event) { return handle(event); }
int cudaEventCreateWithFlags(void** event, unsigned) { return handle(event); }
int cudaEventDestroy(void* event) { free(event); return 0; }
int cudaLaunchKernel() { counters[kLaunches] += 1; return 0; }
int __cudaLaunchKernel() { counters[kLaunches] += 1; return 0; }
int cudaLaunchKernelExC() { counters[kLaunches] += 1; return 0; }
void** __cudaRegisterFatBinary(void*) { static void* made[4]; return made; }
const char* cudaGetErrorName(int) { return "an error of the simulated device"; }
const char* cudaGetErrorString(int) { return "an error of the simulated device"; }
}
