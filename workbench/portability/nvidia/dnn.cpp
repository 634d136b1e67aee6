// What the CUDA provider must be told to believe in cuDNN, which it opens by name when a kernel wants it.
//
// Signatures as the cuDNN documentation gives them (https://docs.nvidia.com/deeplearning/cudnn). Handles
// and descriptors are blank memory; sizes are zero; nothing computes. Every other function that the
// provider looks up is generated beside this file and returns success.
#include <cstddef>
#include <cstdlib>

extern "C" {
size_t cudnnGetVersion() { return 91000; }
const char* cudnnGetErrorString(int) { return "a stand-in for cuDNN computes nothing"; }
int cudnnDropoutGetStatesSize(void*, size_t* size) { *size = 0; return 0; }
// a recurrent layer reorders its weights when it is made: here there are none to reorder
int cudnnGetRNNWeightParams(void*, void*, int, size_t, const void* weights, int, void*, void** matrix, void*,
                            void** bias) {
  *matrix = *bias = const_cast<void*>(weights);
  return 0;
}
int cudnnGetTensorNdDescriptor(void*, int asked, int* type, int* rank, int* sizes, int* strides) {
  *type = 0;
  *rank = asked;
  for (int axis = 0; axis < asked; ++axis) sizes[axis] = strides[axis] = 0;
  return 0;
}
}
