// The functions of cuBLAS and cuBLASLt that must hand out something; the others are generated.
#include <cstdlib>

extern "C" {
int cublasCreate_v2(void** made) { *made = calloc(1, 256); return 0; }
int cublasDestroy_v2(void* made) { free(made); return 0; }
int cublasGetMathMode(void*, int* mode) { *mode = 0; return 0; }
const char* cublasGetStatusName(int) { return "an error of the simulated device"; }
const char* cublasGetStatusString(int) { return "an error of the simulated device"; }
int cublasLtCreate(void** made) { *made = calloc(1, 256); return 0; }
int cublasLtDestroy(void* made) { free(made); return 0; }
}
