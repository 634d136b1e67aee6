// A stand-in for the Ascend libraries under ONNX Runtime's CANN provider, with no Ascend.
//
// Defines the functions and classes that the provider imports, as its MIT-licensed source in
// ONNX Runtime uses them and as the public documentation of AscendCL and of the graph engine
// describes them (https://www.hiascend.com/document: aclrt*, aclop*, aclmdl*, aclgrph*). Host memory
// plays the device; every copy, kernel and compile is counted; the kernels themselves are asked of
// whoever called simascend_set. It computes nothing, and it is loaded in a worker process only.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {
constexpr int kFailure = 500002;  // an internal error, as aclError numbers them

enum Counter { kAllocations, kAllocatedBytes, kToDevice, kToDeviceBytes, kFromDevice, kFromDeviceBytes,
               kOnDevice, kOnDeviceBytes, kKernels, kCompiles, kExecutions, kCounters };
std::atomic<int64_t> counters[kCounters];
void count_copy(size_t bytes, int kind) {  // 1 host to device, 2 device to host, 3 on the device
  static const Counter first[] = {kCounters, kToDevice, kFromDevice, kOnDevice};
  if (kind < 1 || kind > 3) return;
  counters[first[kind]] += 1;
  counters[first[kind] + 1] += static_cast<int64_t>(bytes);
}
// by aclDataType: float, half, int8, int32, uint8, -, int16, uint16, uint32, int64, uint64, double, bool
size_t size_of(int type) {
  static const size_t sizes[] = {4, 2, 1, 4, 1, 0, 2, 2, 4, 8, 8, 8, 1};
  return type == 27 ? 2 : type >= 0 && type < 13 ? sizes[type] : 0;
}
int new_handle(void** handle) { *handle = malloc(16); return 0; }
int drop_handle(void* handle) { free(handle); return 0; }
}  // namespace

struct aclTensorDesc { int type; std::vector<int64_t> dims; const void* constant = nullptr; };
struct aclDataBuffer { void* data; size_t size; };
struct aclopAttr { std::string json; };

struct SimTensor { int32_t type; int32_t rank; const int64_t* dims; void* data; };
struct SimOutput { int32_t type; int32_t rank; int64_t dims[16]; int64_t bytes; };
using OpCallback = int (*)(const char* name, int inputs, const SimTensor*, int outputs, const SimTensor*,
                           const char* attributes_json);
using BuildCallback = int (*)(const void* onnx, size_t size, const char* input_shapes, int64_t* input_bytes,
                              int* inputs, SimOutput* outputs, int* output_count);
using RunCallback = int (*)(int model, int inputs, void* const* in, int outputs, void* const* out);
static thread_local std::string g_message;
static OpCallback g_op; static BuildCallback g_build; static RunCallback g_run;

struct Program { int inputs = 0, outputs = 0; int64_t input_bytes[256]; SimOutput output[256]; };
static std::map<int, Program> g_programs;
static std::mutex g_mutex;
static int g_last = 0;

struct aclmdlDesc { int model = 0; };
struct aclmdlDataset { std::vector<aclDataBuffer*> buffers; };
struct aclmdlIODims { char name[128]; size_t count; int64_t dims[128]; };

static void attribute(aclopAttr* attributes, const char* name, const std::string& value) {
  attributes->json += (attributes->json.empty() ? "\"" : ",\"") + std::string(name) + "\":" + value;
}

extern "C" {
void simascend_set(OpCallback op, BuildCallback build, RunCallback run) { g_op = op; g_build = build; g_run = run; }
void simascend_counters(int64_t* out) { for (int i = 0; i < kCounters; ++i) out[i] = counters[i]; }
void simascend_reset() { for (auto& counter : counters) counter = 0; }

// ---- the device ----
int aclInit(const char*) { return 0; }
int aclFinalize() { return 0; }
// The provider takes any message for an error, so there is one only after a failure, once.
const char* aclGetRecentErrMsg() {
  static thread_local std::string last;
  last.swap(g_message);
  g_message.clear();
  return last.empty() ? nullptr : last.c_str();
}
int aclrtGetDeviceCount(uint32_t* count) { *count = 1; return 0; }
int aclrtGetDevice(int* device) { *device = 0; return 0; }
int aclrtSetDevice(int) { return 0; }
const char* aclrtGetSocName() { return "Ascend-simulated"; }
int aclrtCreateStream(void** stream) { return new_handle(stream); }
int aclrtDestroyStream(void* stream) { return drop_handle(stream); }
int aclrtSynchronizeStream(void*) { return 0; }
int aclrtSynchronizeDevice() { return 0; }
int aclrtCreateEvent(void** event) { return new_handle(event); }
int aclrtDestroyEvent(void* event) { return drop_handle(event); }
int aclrtRecordEvent(void*, void*) { return 0; }
int aclrtStreamWaitEvent(void*, void*) { return 0; }
int aclrtSynchronizeEvent(void*) { return 0; }

// ---- memory ----
int aclrtMalloc(void** memory, size_t size, int) {
  *memory = aligned_alloc(64, (size + 127) / 64 * 64);  // 64 bytes, and 32 of slack as on the device
  counters[kAllocations] += 1;
  counters[kAllocatedBytes] += static_cast<int64_t>(size);
  return *memory ? 0 : 207001;
}
int aclrtFree(void* memory) { free(memory); return 0; }
int aclrtMallocHost(void** memory, size_t size) { *memory = malloc(size); return *memory ? 0 : 207001; }
int aclrtFreeHost(void* memory) { free(memory); return 0; }
int aclrtMemcpy(void* to, size_t, const void* from, size_t size, int kind) {
  memmove(to, from, size); count_copy(size, kind); return 0;
}
int aclrtMemcpyAsync(void* to, size_t room, const void* from, size_t size, int kind, void*) {
  return aclrtMemcpy(to, room, from, size, kind);
}
int aclrtMemsetAsync(void* memory, size_t, int value, size_t size, void*) { memset(memory, value, size); return 0; }

// ---- descriptions of tensors ----
aclTensorDesc* aclCreateTensorDesc(int type, int rank, const int64_t* dims, int) {
  return new aclTensorDesc{type, std::vector<int64_t>(dims, dims + rank)};
}
void aclDestroyTensorDesc(const aclTensorDesc* tensor) { delete tensor; }
size_t aclGetTensorDescNumDims(const aclTensorDesc* tensor) { return tensor->dims.size(); }
int aclGetTensorDescDimV2(const aclTensorDesc* tensor, size_t axis, int64_t* size) { *size = tensor->dims.at(axis); return 0; }
size_t aclDataTypeSize(int type) { return size_of(type); }
size_t aclGetTensorDescSize(const aclTensorDesc* tensor) {
  size_t total = size_of(tensor->type);
  for (int64_t size : tensor->dims) total *= static_cast<size_t>(size);
  return total;
}
int aclSetTensorConst(aclTensorDesc* tensor, void* data, size_t) { tensor->constant = data; return 0; }
aclDataBuffer* aclCreateDataBuffer(void* data, size_t size) { return new aclDataBuffer{data, size}; }
int aclDestroyDataBuffer(const aclDataBuffer* buffer) { delete buffer; return 0; }
void* aclGetDataBufferAddr(const aclDataBuffer* buffer) { return buffer->data; }

// ---- single operators ----
aclopAttr* aclopCreateAttr() { return new aclopAttr; }
void aclopDestroyAttr(const aclopAttr* attributes) { delete attributes; }
int aclopSetAttrBool(aclopAttr* a, const char* name, uint8_t value) { attribute(a, name, value ? "true" : "false"); return 0; }
int aclopSetAttrInt(aclopAttr* a, const char* name, int64_t value) { attribute(a, name, std::to_string(value)); return 0; }
int aclopSetAttrFloat(aclopAttr* a, const char* name, float value) { attribute(a, name, std::to_string(value)); return 0; }
int aclopSetAttrString(aclopAttr* a, const char* name, const char* value) { attribute(a, name, "\"" + std::string(value) + "\""); return 0; }
int aclopSetAttrListInt(aclopAttr* a, const char* name, int count, const int64_t* values) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) list += (i ? "," : "") + std::to_string(values[i]);
  attribute(a, name, list + "]");
  return 0;
}
int aclopCompileAndExecute(const char* name, int inputs, const aclTensorDesc* const input[], const aclDataBuffer* const in[],
                           int outputs, const aclTensorDesc* const output[], aclDataBuffer* const out[],
                           const aclopAttr* attributes, int, int, const char*, void*) {
  counters[kKernels] += 1;
  if (!g_op) return kFailure;
  std::vector<SimTensor> given, made;
  for (int i = 0; i < inputs; ++i) {
    const void* data = in[i] && in[i]->data ? in[i]->data : input[i]->constant;
    given.push_back({input[i]->type, static_cast<int32_t>(input[i]->dims.size()), input[i]->dims.data(), const_cast<void*>(data)});
  }
  for (int i = 0; i < outputs; ++i)
    made.push_back({output[i]->type, static_cast<int32_t>(output[i]->dims.size()), output[i]->dims.data(), out[i]->data});
  std::string json = "{" + (attributes ? attributes->json : "") + "}";
  if (!g_op(name, inputs, given.data(), outputs, made.data(), json.c_str())) return 0;
  g_message = std::string("the kernel ") + name + " of the simulated device failed";
  return kFailure;
}

// ---- models ----
int aclmdlLoadFromMem(const void* data, size_t size, uint32_t* model) {
  if (size != sizeof(int)) return kFailure;
  int known; memcpy(&known, data, sizeof known);
  if (!g_programs.count(known)) return kFailure;
  *model = static_cast<uint32_t>(known);
  return 0;
}
int aclmdlLoadFromFile(const char*, uint32_t*) { return kFailure; }
int aclmdlUnload(uint32_t) { return 0; }
aclmdlDesc* aclmdlCreateDesc() { return new aclmdlDesc; }
int aclmdlDestroyDesc(aclmdlDesc* desc) { delete desc; return 0; }
int aclmdlGetDesc(aclmdlDesc* desc, uint32_t model) { desc->model = static_cast<int>(model); return 0; }
size_t aclmdlGetNumInputs(aclmdlDesc* desc) { return g_programs[desc->model].inputs; }
size_t aclmdlGetNumOutputs(aclmdlDesc* desc) { return g_programs[desc->model].outputs; }
size_t aclmdlGetInputSizeByIndex(aclmdlDesc* desc, size_t i) { return g_programs[desc->model].input_bytes[i]; }
size_t aclmdlGetOutputSizeByIndex(aclmdlDesc* desc, size_t i) { return g_programs[desc->model].output[i].bytes; }
int aclmdlGetOutputDims(const aclmdlDesc* desc, size_t i, aclmdlIODims* dims) {
  const SimOutput& output = g_programs[desc->model].output[i];
  dims->name[0] = 0;
  dims->count = output.rank;
  for (int axis = 0; axis < output.rank; ++axis) dims->dims[axis] = output.dims[axis];
  return 0;
}
aclmdlDataset* aclmdlCreateDataset() { return new aclmdlDataset; }
int aclmdlDestroyDataset(const aclmdlDataset* set) { delete set; return 0; }
int aclmdlAddDatasetBuffer(aclmdlDataset* set, aclDataBuffer* buffer) { set->buffers.push_back(buffer); return 0; }
aclDataBuffer* aclmdlGetDatasetBuffer(const aclmdlDataset* set, size_t i) { return i < set->buffers.size() ? set->buffers[i] : nullptr; }
aclTensorDesc* aclmdlGetDatasetTensorDesc(const aclmdlDataset*, size_t) { return nullptr; }
int aclmdlExecute(uint32_t model, const aclmdlDataset* input, aclmdlDataset* output) {
  counters[kExecutions] += 1;
  if (!g_run) return kFailure;
  std::vector<void*> in, out;
  for (auto* buffer : input->buffers) in.push_back(buffer->data);
  for (auto* buffer : output->buffers) out.push_back(buffer->data);
  return g_run(static_cast<int>(model), static_cast<int>(in.size()), in.data(), static_cast<int>(out.size()), out.data()) ? kFailure : 0;
}
int aclmdlExecuteAsync(uint32_t model, const aclmdlDataset* input, aclmdlDataset* output, void*) { return aclmdlExecute(model, input, output); }
}

// ---- the graph engine: what the provider calls of it, with the members its inline code touches ----
namespace ge {
class AscendString {
 public:
  AscendString(const char* text);
  bool operator<(const AscendString& other) const;
  std::shared_ptr<std::string> text_;
};
AscendString::AscendString(const char* text) : text_(std::make_shared<std::string>(text ? text : "")) {}
bool AscendString::operator<(const AscendString& other) const { return *text_ < *other.text_; }

struct GraphImpl { std::string onnx; };
class Graph { public: Graph(const char* name); std::shared_ptr<GraphImpl> impl_; };
Graph::Graph(const char*) : impl_(std::make_shared<GraphImpl>()) {}

struct ModelBufferData { std::shared_ptr<uint8_t> data; uint64_t length = 0; };
using Options = std::map<AscendString, AscendString>;

uint32_t aclgrphBuildInitialize(Options&) { return 0; }
void aclgrphBuildFinalize() {}
uint32_t aclgrphParseONNXFromMem(const char* data, unsigned long size, const Options&, Graph& graph) {
  graph.impl_ = std::make_shared<GraphImpl>();
  graph.impl_->onnx.assign(data, size);
  return 0;
}
uint32_t aclgrphBuildModel(const Graph& graph, const Options& options, ModelBufferData& model) {
  counters[kCompiles] += 1;
  std::string shapes;
  for (auto& entry : options) if (*entry.first.text_ == "input_shape") shapes = *entry.second.text_;
  std::lock_guard<std::mutex> lock(g_mutex);
  Program program;
  if (!g_build || g_build(graph.impl_->onnx.data(), graph.impl_->onnx.size(), shapes.c_str(), program.input_bytes,
                          &program.inputs, program.output, &program.outputs)) return kFailure;
  int known = ++g_last;
  g_programs[known] = program;
  model.length = sizeof known;
  model.data = std::shared_ptr<uint8_t>(new uint8_t[sizeof known], std::default_delete<uint8_t[]>());
  memcpy(model.data.get(), &known, sizeof known);
  return 0;
}
uint32_t aclgrphSaveModel(const char*, const ModelBufferData&) { return kFailure; }
}  // namespace ge
