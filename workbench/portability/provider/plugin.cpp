// An execution provider for ONNX Runtime whose kernels are Python functions.
//
// ONNX Runtime asks a plug-in library three questions: which nodes do you take (GetCapability), make
// something runnable of them (Compile), run it (Compute). This file puts them to Python, with the
// graph described as JSON, and refuses to compute anything itself.
//
// Only what is used of the plug-in API is declared here: the two function tables by position and
// the three records that a provider fills in, as the API's documentation lays them out
// (https://onnxruntime.ai/docs/execution-providers/plugin-ep-libraries.html). The tables only ever
// grow at their ends, so one library serves every runtime from 1.23 (API 23) on.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

using Status = void*;   // nullptr is success
using Opaque = const void*;

constexpr uint32_t kApiVersion = 23;
constexpr int kFail = 1;

// Positions in the runtime's main table.
enum Api {
  kCreateStatus = 0, kGetTensorMutableData = 51, kCastTypeInfoToTensorInfo = 55,
  kGetTensorElementType = 60, kGetDimensionsCount = 61, kGetDimensions = 62,
  kGetTensorTypeAndShape = 65, kContextGetInputCount = 88, kContextGetInput = 90,
  kContextGetOutput = 91, kReleaseStatus = 93, kReleaseTensorInfo = 99, kReleaseValue = 96,
  kReadOpAttr = 272, kGetValueInfoName = 289, kGetValueInfoTypeInfo = 290,
  kHardwareDeviceType = 307, kGetEpApi = 317, kValueInfoIsConstant = 331,
  kGraphGetNumNodes = 344, kGraphGetNodes = 345, kGraphGetParentNode = 346, kNodeGetName = 349,
  kNodeGetOperatorType = 350, kNodeGetDomain = 351, kNodeGetSinceVersion = 352,
  kNodeGetNumInputs = 353, kNodeGetInputs = 354, kNodeGetNumOutputs = 355,
  kNodeGetOutputs = 356, kNodeGetNumAttributes = 359, kNodeGetAttributes = 360,
  kOpAttrGetTensor = 362, kOpAttrGetType = 363, kOpAttrGetName = 364, kNodeGetNumSubgraphs = 365,
};
// Positions in the table for providers.
enum EpApi { kCreateEpDevice = 0, kAddNodesToFuse = 2 };
enum AttributeType { kInt = 1, kInts, kFloat, kFloats, kString, kStrings, kGraph, kTensor };

static void** g_api;
static void** g_ep_api;

template <typename Result = Status, typename... Arguments>
static Result call(void** table, int position, Arguments... arguments) {
  return reinterpret_cast<Result (*)(Arguments...)>(table[position])(arguments...);
}
static Status fail(const char* why) { return call(g_api, kCreateStatus, kFail, why); }
static void drop(Status status) { if (status) call<void>(g_api, kReleaseStatus, status); }

// ---- what Python hands over ----
struct Tensor { int32_t type; int32_t rank; int64_t dims[16]; void* data; };
using Allocate = void* (*)(void* context, int32_t index, const int64_t* dims, int32_t rank);
extern "C" {
// Each returns nullptr, or a sentence that says what went wrong.
using Claim = const char* (*)(const char* nodes_json, uint8_t* taken);
using Build = const char* (*)(int64_t program, const char* nodes_json, const char* fused_json);
using Run = const char* (*)(int64_t program, void* context, int32_t count, const Tensor* inputs,
                            Allocate allocate);
using Forget = void (*)(int64_t program);
}
static Claim g_claim; static Build g_build; static Run g_run; static Forget g_forget;
static int64_t g_programs = 0;

// ---- the graph as JSON ----
static std::string quoted(const char* text) {
  std::string out = "\"";
  for (const unsigned char* c = reinterpret_cast<const unsigned char*>(text ? text : ""); *c; ++c) {
    char buffer[8];
    if (*c < 0x20 || *c == '"' || *c == '\\' || *c >= 0x7f) {
      snprintf(buffer, sizeof buffer, "\\u%04x", *c);
      out += buffer;
    } else out += static_cast<char>(*c);
  }
  return out + "\"";
}
static std::string hexadecimal(const void* data, size_t size) {
  static const char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t i = 0; i < size; ++i) {
    unsigned char byte = static_cast<const unsigned char*>(data)[i];
    out += digits[byte >> 4]; out += digits[byte & 15];
  }
  return out + "\"";
}
static size_t item_size(int32_t type) {  // by ONNX's element types; 0 where it is not a plain number
  static const size_t sizes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2};
  return type >= 0 && type < 17 ? sizes[type] : 0;
}
static std::string shape_json(Opaque info, int64_t* count = nullptr) {
  size_t rank = 0;
  drop(call(g_api, kGetDimensionsCount, info, &rank));
  std::vector<int64_t> dims(rank + 1);
  drop(call(g_api, kGetDimensions, info, dims.data(), rank));
  std::string out = "[";
  int64_t total = 1;
  for (size_t i = 0; i < rank; ++i) { out += (i ? "," : "") + std::to_string(dims[i]); total *= dims[i]; }
  if (count) *count = total;
  return out + "]";
}
static std::string value_json(Opaque value) {  // [name, element type or -1, shape, constant]
  if (!value) return "null";
  const char* name = nullptr; Opaque type = nullptr; Opaque tensor = nullptr; int32_t element = -1;
  bool constant = false;
  drop(call(g_api, kGetValueInfoName, value, &name));
  drop(call(g_api, kGetValueInfoTypeInfo, value, &type));
  if (type) drop(call(g_api, kCastTypeInfoToTensorInfo, type, &tensor));
  std::string shape = "[]";
  if (tensor) { drop(call(g_api, kGetTensorElementType, tensor, &element)); shape = shape_json(tensor); }
  drop(call(g_api, kValueInfoIsConstant, value, &constant));
  return "[" + quoted(name) + "," + std::to_string(element) + "," + shape + "," +
         (constant ? "true" : "false") + "]";
}
static std::string values_json(Opaque node, int count_position, int get_position) {
  size_t count = 0;
  drop(call(g_api, count_position, node, &count));
  std::vector<Opaque> values(count + 1);
  drop(call(g_api, get_position, node, values.data(), count));
  std::string out = "[";
  for (size_t i = 0; i < count; ++i) out += (i ? "," : "") + value_json(values[i]);
  return out + "]";
}
static std::string tensor_attribute(Opaque attribute) {
  void* value = nullptr; Opaque info = nullptr; int32_t type = 0; void* data = nullptr;
  int64_t count = 0;
  Status status = call(g_api, kOpAttrGetTensor, attribute, &value);
  if (status || !value) { drop(status); return "null"; }
  drop(call(g_api, kGetTensorTypeAndShape, static_cast<Opaque>(value), &info));
  drop(call(g_api, kGetTensorElementType, info, &type));
  std::string shape = shape_json(info, &count);
  drop(call(g_api, kGetTensorMutableData, value, &data));
  std::string out = "[" + std::to_string(type) + "," + shape + "," +
                    hexadecimal(data, data ? count * item_size(type) : 0) + "]";
  call<void>(g_api, kReleaseTensorInfo, info);
  call<void>(g_api, kReleaseValue, value);
  return out;
}
static std::string attribute_json(Opaque attribute) {  // "name": [type, value]
  const char* name = nullptr; int32_t type = 0;
  drop(call(g_api, kOpAttrGetName, attribute, &name));
  drop(call(g_api, kOpAttrGetType, attribute, &type));
  std::string value = "null";
  if (type == kTensor) {
    value = tensor_attribute(attribute);
  } else if (type >= kInt && type <= kStrings) {
    size_t size = 0;
    drop(call(g_api, kReadOpAttr, attribute, type, nullptr, size_t{0}, &size));
    std::vector<char> data(size + 16);
    drop(call(g_api, kReadOpAttr, attribute, type, static_cast<void*>(data.data()), data.size(), &size));
    value = hexadecimal(data.data(), size);
  }
  return quoted(name) + ":[" + std::to_string(type) + "," + value + "]";
}
static std::string node_json(Opaque node, bool nested = false) {
  const char *name = nullptr, *type = nullptr, *domain = nullptr; int32_t version = 0;
  size_t subgraphs = 0, attributes = 0;
  drop(call(g_api, kNodeGetName, node, &name));
  drop(call(g_api, kNodeGetOperatorType, node, &type));
  drop(call(g_api, kNodeGetDomain, node, &domain));
  drop(call(g_api, kNodeGetSinceVersion, node, &version));
  drop(call(g_api, kNodeGetNumSubgraphs, node, &subgraphs));
  drop(call(g_api, kNodeGetNumAttributes, node, &attributes));
  std::vector<Opaque> list(attributes + 1);
  drop(call(g_api, kNodeGetAttributes, node, list.data(), attributes));
  std::string text = "{\"name\":" + quoted(name) + ",\"operator\":" + quoted(type) +
      ",\"domain\":" + quoted(domain) + ",\"version\":" + std::to_string(version) +
      ",\"subgraphs\":" + std::to_string(subgraphs) +
      ",\"nested\":" + (nested ? "true" : "false") +
      ",\"inputs\":" + values_json(node, kNodeGetNumInputs, kNodeGetInputs) +
      ",\"outputs\":" + values_json(node, kNodeGetNumOutputs, kNodeGetOutputs) + ",\"attributes\":{";
  for (size_t i = 0; i < attributes; ++i) text += (i ? "," : "") + attribute_json(list[i]);
  return text + "}}";
}
static std::vector<Opaque> nodes_of(Opaque graph) {
  size_t count = 0;
  drop(call(g_api, kGraphGetNumNodes, graph, &count));
  std::vector<Opaque> nodes(count);
  drop(call(g_api, kGraphGetNodes, graph, nodes.data(), count));
  return nodes;
}
static std::string nodes_json(Opaque graph, const std::vector<Opaque>& nodes) {
  Opaque parent = nullptr;  // of a body of If, Loop or Scan: the node that holds it
  drop(call(g_api, kGraphGetParentNode, graph, &parent));
  std::string text = "[";
  for (size_t i = 0; i < nodes.size(); ++i) text += (i ? "," : "") + node_json(nodes[i], parent != nullptr);
  return text + "]";
}

// ---- the records that a provider fills in ----
struct ComputeInfo {  // one compiled group of nodes
  uint32_t version;
  Status (*create_state)(ComputeInfo*, void* context, void** state);
  Status (*compute)(ComputeInfo*, void* state, void* kernel_context);
  void (*release_state)(ComputeInfo*, void* state);
  int64_t program;
};
struct Provider {
  uint32_t version;
  const char* (*name)(const Provider*);
  Status (*get_capability)(Provider*, Opaque graph, void* support);
  Status (*compile)(Provider*, Opaque* graphs, Opaque* fused, size_t count, ComputeInfo** made, void**);
  void (*release_computes)(Provider*, ComputeInfo** made, size_t count);
  void* left_out[16];  // optional functions that this provider has none of
};
struct Factory {
  uint32_t version;
  const char* (*name)(const Factory*);
  const char* (*vendor)(const Factory*);
  Status (*supported_devices)(Factory*, Opaque const* devices, size_t count, void** made, size_t most, size_t* number);
  Status (*create)(Factory*, Opaque const*, Opaque const*, size_t, Opaque, Opaque, Provider** made);
  void (*release)(Factory*, Provider*);
  uint32_t (*vendor_id)(const Factory*);
  const char* (*provider_version)(const Factory*);
  void* validate_compiled;
  Status (*create_allocator)(Factory*, Opaque, Opaque, void** made);
  void (*release_allocator)(Factory*, void*);
  Status (*create_data_transfer)(Factory*, void** made);
  bool (*is_stream_aware)(const Factory*);
  void* left_out[16];
};

static Status get_capability(Provider*, Opaque graph, void* support) {
  std::vector<Opaque> nodes = nodes_of(graph), group;
  std::vector<uint8_t> taken(nodes.size() + 1, 0);
  if (const char* why = g_claim(nodes_json(graph, nodes).c_str(), taken.data())) return fail(why);
  // Neighbours in the order of execution may be fused: nothing can stand between them.
  for (size_t i = 0; i <= nodes.size(); ++i) {
    if (i < nodes.size() && taken[i]) { group.push_back(nodes[i]); if (taken[i] == 1) continue; }
    if (!group.empty()) {
      struct { uint32_t version; bool drop_constants; } options{kApiVersion, false};
      Status status = call(g_ep_api, kAddNodesToFuse, support, static_cast<const Opaque*>(group.data()),
                           group.size(), static_cast<Opaque>(&options));
      if (status) return status;
      group.clear();
    }
  }
  return nullptr;
}
static void* allocate(void* context, int32_t index, const int64_t* dims, int32_t rank) {
  void *value = nullptr, *data = nullptr;
  Status status = call(g_api, kContextGetOutput, context, static_cast<size_t>(index), dims,
                       static_cast<size_t>(rank), &value);
  if (status || !value) { drop(status); return nullptr; }
  drop(call(g_api, kGetTensorMutableData, value, &data));
  return data;
}
static Status compute(ComputeInfo* self, void*, void* context) {
  size_t count = 0;
  drop(call(g_api, kContextGetInputCount, static_cast<Opaque>(context), &count));
  std::vector<Tensor> inputs(count);
  for (size_t i = 0; i < count; ++i) {
    Opaque value = nullptr, info = nullptr; size_t rank = 0; Tensor& input = inputs[i];
    drop(call(g_api, kContextGetInput, static_cast<Opaque>(context), i, &value));
    input = Tensor{-1, 0, {}, nullptr};
    if (!value) continue;
    if (Status status = call(g_api, kGetTensorTypeAndShape, value, &info)) return status;
    drop(call(g_api, kGetTensorElementType, info, &input.type));
    drop(call(g_api, kGetDimensionsCount, info, &rank));
    if (rank > 16) { call<void>(g_api, kReleaseTensorInfo, info); return fail("more than 16 dimensions"); }
    input.rank = static_cast<int32_t>(rank);
    drop(call(g_api, kGetDimensions, info, input.dims, rank));
    call<void>(g_api, kReleaseTensorInfo, info);
    drop(call(g_api, kGetTensorMutableData, const_cast<void*>(value), &input.data));
  }
  const char* why = g_run(self->program, context, static_cast<int32_t>(count), inputs.data(), allocate);
  return why ? fail(why) : nullptr;
}
static Status create_state(ComputeInfo* self, void*, void** state) { *state = self; return nullptr; }
static void release_state(ComputeInfo*, void*) {}
static Status compile(Provider*, Opaque* graphs, Opaque* fused, size_t count, ComputeInfo** made, void**) {
  for (size_t i = 0; i < count; ++i) {
    int64_t program = ++g_programs;
    const char* why = g_build(program, nodes_json(graphs[i], nodes_of(graphs[i])).c_str(), node_json(fused[i]).c_str());
    if (why) return fail(why);
    made[i] = new ComputeInfo{kApiVersion, create_state, compute, release_state, program};
  }
  return nullptr;
}
static void release_computes(Provider*, ComputeInfo** made, size_t count) {
  for (size_t i = 0; i < count; ++i) if (made[i]) { if (g_forget) g_forget(made[i]->program); delete made[i]; }
}

static std::string g_name = "WorkbenchExecutionProvider";
static const char* provider_name(const Provider*) { return g_name.c_str(); }
static const char* factory_name(const Factory*) { return g_name.c_str(); }
static const char* vendor(const Factory*) { return "Accelerator Workbench"; }
static uint32_t vendor_id(const Factory*) { return 0; }
static const char* version(const Factory*) { return "0.1.0"; }
static Status supported_devices(Factory* self, Opaque const* devices, size_t count, void** made, size_t most, size_t* number) {
  *number = 0;
  for (size_t i = 0; i < count && *number < most; ++i) {
    if (call<int32_t>(g_api, kHardwareDeviceType, devices[i]) != 0) continue;  // 0: the host's CPU
    Status status = call(g_ep_api, kCreateEpDevice, self, devices[i], static_cast<Opaque>(nullptr),
                         static_cast<Opaque>(nullptr), &made[*number]);
    if (status) return status;
    ++*number;
  }
  return nullptr;
}
static Status create(Factory*, Opaque const*, Opaque const*, size_t, Opaque, Opaque, Provider** made) {
  *made = new Provider{kApiVersion, provider_name, get_capability, compile, release_computes, {}};
  return nullptr;
}
static void release(Factory*, Provider* provider) { delete provider; }
static Status no_allocator(Factory*, Opaque, Opaque, void** made) { *made = nullptr; return nullptr; }
static void release_allocator(Factory*, void*) {}
static Status no_transfer(Factory*, void** made) { *made = nullptr; return nullptr; }
static bool not_stream_aware(const Factory*) { return false; }

extern "C" {
void workbench_set(Claim claim, Build build, Run run, Forget forget) {
  g_claim = claim; g_build = build; g_run = run; g_forget = forget;
}
Status CreateEpFactories(const char* name, void** base, Opaque, Factory** made, size_t most, size_t* number) {
  g_api = reinterpret_cast<void** (*)(uint32_t)>(base[0])(kApiVersion);
  *number = 0;
  if (!g_api || most < 1) return nullptr;
  if (!g_claim) return fail("the Python side is not set: open the provider through workbench.portability");
  g_ep_api = call<void**>(g_api, kGetEpApi);
  if (name && *name) g_name = name;
  made[0] = new Factory{kApiVersion, factory_name, vendor, supported_devices, create, release, vendor_id,
                        version, nullptr, no_allocator, release_allocator, no_transfer, not_stream_aware, {}};
  *number = 1;
  return nullptr;
}
Status ReleaseEpFactory(Factory* factory) { delete factory; return nullptr; }
}
