// The hot path in C++: small dense tensors never enter Python.
//
// Python generates and compiles the kernels and says which operators may be answered here
// (`shim/quick.py`); a kernel is handed over as an address once its operator has met its dtypes.
// Everything that needs a decision (promotion, broadcasting, strides, queued work, errors) is
// passed on: to the kernel that PyTorch generates around the operator's `.out` form, found under an
// unused backend's key, or to a Python kernel that waits under another one.
//
// Blocks are cached here by size between Python's allocator and PyTorch's storages, so that most
// storages are born and die without Python. No torch/library.h: its templates cost 100 MB and 4 s.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "quick.h"

namespace quick {
const Board kBusy{{1}, {1}};  // until Python shows its own: it decides all
const Board* board = &kBusy;
int64_t hold = 1;  // from here on the board's first count says that nothing may run at once
std::atomic<int> current_device{0};
int64_t counters[kMaxDevices][kCounters] = {};

namespace {
constexpr size_t kGrain = 512;          // bytes: the allocator's
constexpr size_t kLargest = 1 << 20;    // bytes: larger blocks are always asked for
constexpr auto kGenerated = c10::DispatchKey::HPU;  // nobody registers anything under it
constexpr auto kWaiting = c10::DispatchKey::MAIA;   // Python's kernels, see quick.py

struct Block {
  int64_t address;
  size_t size;
  int device;
  bool ours;  // allocated with no side stream about: work on the default stream alone has used it
};
// Never destroyed: storages may die after static destructors have run.
std::mutex& guard = *new std::mutex();
auto& bins = *new std::array<std::array<std::vector<Block*>, kLargest / kGrain + 1>, kMaxDevices>();

// Whether blocks may change hands here: work runs in the order of calls while no side stream is used.
bool one_stream() { return board->side == 0 && board->queued < hold; }

void count_allocation(const Block& block, bool hit) {
  auto* c = counters[block.device];
  c[kAllocations]++;
  c[kHits] += hit;
  c[kLive] += static_cast<int64_t>(block.size);
  c[kPeak] = std::max(c[kPeak], c[kLive]);
}

void count_free(const Block& block) {
  auto* c = counters[block.device];
  c[kFrees]++;
  c[kLive] -= static_cast<int64_t>(block.size);
}

void free_block(void* context) {
  auto* block = static_cast<Block*>(context);
  {
    std::lock_guard<std::mutex> lock(guard);
    count_free(*block);
    if (block->ours && block->size <= kLargest && one_stream()) {
      bins[block->device][block->size / kGrain].push_back(block);
      return;
    }
  }
  free_in_python(block->address);
  delete block;
}

int64_t address_of(const at::Tensor& tensor) {
  return reinterpret_cast<int64_t>(tensor.const_data_ptr()) + kernel_delta();
}

at::Tensor empty(c10::IntArrayRef sizes, c10::ScalarType dtype, int device,
                 const c10::IntArrayRef* strides = nullptr) {
  size_t count = 1;
  for (size_t d = 0; d < sizes.size(); d++)
    count = sizes[d] == 0 ? 0 : strides ? count + (sizes[d] - 1) * (*strides)[d] : count * sizes[d];
  for (int64_t n : sizes) count = n == 0 ? 0 : count;
  size_t bytes = count * c10::elementSize(dtype);
  auto storage = c10::make_intrusive<c10::StorageImpl>(
      c10::StorageImpl::use_byte_size_t(), bytes, allocate(bytes, device), allocator(), true);
  constexpr c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), keys, c10::scalarTypeToTypeMeta(dtype));
  auto* made = tensor.unsafeGetTensorImpl();
  strides ? made->set_sizes_and_strides(sizes, *strides) : made->set_sizes_contiguous(sizes);
  return tensor;
}

// One operator: what its arguments are, and the kernels that Python has compiled for it so far.
struct Plan {
  std::vector<char> roles;  // 't' a tensor or a number in its place, 'n' a number, 'd' its default
  std::vector<double> defaults;
  bool in_place, boolean, generated;
  std::atomic<int64_t> limit;  // elements: above it Python chooses (two cores, the vendor library)
  struct Entry {
    uint32_t key;
    int64_t (*run)(int64_t*);
  };
  std::array<Entry, 24> entries;
  std::atomic<int> known{0};
  std::atomic<int64_t> calls{0};
};
std::vector<Plan*> plans;

bool number_of(const c10::IValue& value, int64_t* word, uint32_t* kind) {
  if (value.isDouble()) {
    double number = value.toDouble();
    std::memcpy(word, &number, 8);
    *kind = 2;
  } else if (value.isInt() || value.isBool()) {
    *word = value.isInt() ? value.toInt() : static_cast<int64_t>(value.toBool());
    *kind = 1;
  } else {
    return false;
  }
  return true;
}

bool number_of(const at::Tensor& tensor, int64_t* word, uint32_t* kind) {
  if (!tensor.is_cpu() || tensor.dim() != 0) return false;
  if (!tensor.unsafeGetTensorImpl()->is_wrapped_number()) return false;
  if (tensor.scalar_type() == c10::kDouble) *kind = 2;
  else if (tensor.scalar_type() == c10::kLong) *kind = 1;
  else return false;
  std::memcpy(word, tensor.const_data_ptr(), 8);
  return true;
}

// Words of a kernel: range, then (address, step) per tensor with the result first, then numbers.
struct Call {
  int64_t words[32];
  const at::Tensor* tensors[6];
  int64_t numbers[8];
  int found = 0, given = 0;
  uint32_t key = 1;  // one digit to the base 3 per operand: tensor, whole number, float
  bool floats = false;

  bool collect(const Plan& plan, const torch::jit::Stack& stack) {
    auto arguments = torch::jit::last(stack, plan.roles.size());
    for (size_t i = 0; i < plan.roles.size(); i++) {
      const c10::IValue& value = arguments[i];
      uint32_t kind = 0;
      if (plan.roles[i] == 'd') {
        int64_t word;
        if (!number_of(value, &word, &kind)) return false;
        double number = static_cast<double>(word);
        if (kind == 2) std::memcpy(&number, &word, 8);
        if (number != plan.defaults[i]) return false;
        continue;
      }
      if (plan.roles[i] == 't' && value.isTensor() && value.toTensor().is_privateuseone()) {
        if (found == 6) return false;
        tensors[found++] = &value.toTensor();
      } else {
        if (given == 8) return false;
        bool known = value.isTensor() ? number_of(value.toTensor(), &numbers[given], &kind)
                                      : number_of(value, &numbers[given], &kind);
        if (!known) return false;
        given++;
        floats |= kind == 2;
      }
      key = key * 3 + kind;
    }
    return found != 0;
  }

  // The operand that has the result's shape: the first of the largest.
  const at::Tensor* model(bool in_place) const {
    const at::Tensor* best = tensors[0];
    for (int i = 1; i < found && !in_place; i++)
      if (tensors[i]->dim() > best->dim() || tensors[i]->numel() > best->numel()) best = tensors[i];
    return best;
  }

  bool dense(const at::Tensor& model, bool in_place) const {
    for (int i = 0; i < found; i++) {
      const at::Tensor& one = *tensors[i];
      if (one.scalar_type() != model.scalar_type() || one.get_device() != model.get_device())
        return false;
      bool single = one.numel() == 1 && one.dim() <= model.dim();
      if (!single && (!one.is_contiguous() || one.sizes() != model.sizes())) return false;
      if (in_place && i && one.storage().is_alias_of(model.storage()) &&
          one.const_data_ptr() != model.const_data_ptr())
        return false;
    }
    return true;
  }
};

bool answer(Plan& plan, torch::jit::Stack* stack) {
  if (board->queued != 0 || plan.known == 0) return false;
  Call call;
  if (!call.collect(plan, *stack)) return false;
  const at::Tensor& model = *call.model(plan.in_place);
  int64_t count = model.numel();
  auto dtype = model.scalar_type();
  if (count == 0 || count > plan.limit || !call.dense(model, plan.in_place)) return false;
  if (!c10::isFloatingType(dtype) && (call.floats || (call.given && dtype == c10::kBool)))
    return false;
  uint32_t key = call.key * 64 + static_cast<uint32_t>(dtype);
  int known = plan.known;
  for (int i = 0; i < known; i++) {
    if (plan.entries[i].key != key) continue;
    at::Tensor out = plan.in_place ? model
        : empty(model.sizes(), plan.boolean ? c10::kBool : dtype, model.get_device());
    int64_t* w = call.words;
    *w++ = 0, *w++ = count, *w++ = address_of(out), *w++ = 1;
    for (int t = 0; t < call.found; t++) {
      *w++ = address_of(*call.tensors[t]);
      *w++ = call.tensors[t]->numel() == count ? 1 : 0;
    }
    for (int n = 0; n < call.given; n++) *w++ = call.numbers[n];
    if (plan.entries[i].run(call.words) != 0) return false;  // Python runs it again, and explains
    plan.calls++;
    torch::jit::drop(*stack, plan.roles.size());
    torch::jit::push(*stack, std::move(out));
    return true;
  }
  return false;
}

struct Quick final : c10::OperatorKernel {
  explicit Quick(Plan* p) : plan(p) {}
  Plan* plan;
  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    if (answer(*plan, stack)) return;
    op.redispatchBoxed(c10::DispatchKeySet(plan->generated ? kGenerated : kWaiting), stack);
  }
};

// Views only rewrite sizes and strides: the CPU's metadata kernels answer them.
void as_cpu(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
}

// empty.memory_format (row-major) and empty_strided.
struct Empty final : c10::OperatorKernel {
  explicit Empty(bool s) : strided(s) {}
  bool strided;
  bool answer(torch::jit::Stack* stack) const {
    auto given = torch::jit::last(*stack, 6);
    int at = strided ? 2 : 1;  // dtype, layout, device, pin_memory
    if (!given[0].isIntList() || (strided && !given[1].isIntList())) return false;
    if (!given[at + 2].isDevice()) return false;
    if (!given[at + 1].isNone() && given[at + 1].toLayout() != c10::kStrided) return false;
    if (!given[at + 3].isNone() && given[at + 3].toBool()) return false;
    if (!strided && !given[5].isNone() &&
        given[5].toMemoryFormat() != c10::MemoryFormat::Contiguous)
      return false;
    auto sizes = given[0].toDimVector();
    auto strides = strided ? given[1].toDimVector() : sizes;
    if (strides.size() != sizes.size() || sizes.size() > 64) return false;
    for (size_t d = 0; d < sizes.size(); d++)
      if (sizes[d] < 0 || strides[d] < 0) return false;
    auto dtype = given[at].isNone() ? c10::get_default_dtype_as_scalartype()
                                    : given[at].toScalarType();
    int device = given[at + 2].toDevice().index();
    if (device < 0) device = current_device;
    if (device >= device_total() || c10::isQIntType(dtype)) return false;
    c10::IntArrayRef steps(strides);
    at::Tensor out = empty(sizes, dtype, device, strided ? &steps : nullptr);
    torch::jit::drop(*stack, 6);
    torch::jit::push(*stack, std::move(out));
    return true;
  }
  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    if (!answer(stack)) op.redispatchBoxed(c10::DispatchKeySet(kWaiting), stack);
  }
};

void registered(const char* name, const char* overload, c10::KernelFunction kernel) {
  static auto* kept = new std::vector<c10::RegistrationHandleRAII>();
  kept->push_back(c10::Dispatcher::singleton().registerImpl(
      c10::OperatorName(name, overload), c10::DispatchKey::PrivateUse1, std::move(kernel),
      std::nullopt, nullptr, "registered at workbench/torch_device/shim/quick.cpp"));
}
}  // namespace

c10::DataPtr allocate(size_t bytes, int device) {
  c10::Device place(c10::DeviceType::PrivateUse1, static_cast<c10::DeviceIndex>(device));
  if (bytes == 0) return {nullptr, nullptr, &c10::detail::deleteNothing, place};
  size_t size = (bytes + kGrain - 1) / kGrain * kGrain;
  Block* block = nullptr;
  bool ours = one_stream();
  if (ours && size <= kLargest) {
    std::lock_guard<std::mutex> lock(guard);
    auto& bin = bins[device][size / kGrain];
    if (!bin.empty()) {
      block = bin.back();
      bin.pop_back();
      count_allocation(*block, true);
    }
  }
  if (block == nullptr) {
    int64_t address = allocate_in_python(static_cast<int64_t>(size), device);
    block = new Block{address, size, device, ours};
    std::lock_guard<std::mutex> lock(guard);
    count_allocation(*block, false);
  }
  return {reinterpret_cast<void*>(block->address), block, &free_block, place};
}
}  // namespace quick

extern "C" {
// Give Python's allocator back what is cached here.
void wb_gather() {
  std::vector<quick::Block*> all;
  {
    std::lock_guard<std::mutex> lock(quick::guard);
    for (auto& device : quick::bins)
      for (auto& bin : device) {
        all.insert(all.end(), bin.begin(), bin.end());
        bin.clear();
      }
  }
  for (auto* block : all) {
    quick::free_in_python(block->address);
    delete block;
  }
}

int wb_plan(const char* name, const char* overload, const char* roles, const double* defaults,
            int in_place, int boolean, int generated, int64_t limit) {
  auto* plan = new quick::Plan();
  for (int i = 0; roles[i]; i++) {
    plan->roles.push_back(roles[i]);
    plan->defaults.push_back(defaults[i]);
  }
  plan->in_place = in_place, plan->boolean = boolean, plan->generated = generated;
  plan->limit = limit;
  quick::plans.push_back(plan);
  quick::registered(name, overload, c10::KernelFunction::makeFromBoxedFunctor(
      std::make_unique<quick::Quick>(plan)));
  return static_cast<int>(quick::plans.size()) - 1;
}

// Called under Python's lock only; readers see an entry after `known` has been raised.
void wb_offer(int plan, uint32_t key, void* kernel) {
  auto& one = *quick::plans[plan];
  int at = one.known;
  if (at == static_cast<int>(one.entries.size())) return;
  one.entries[at] = {key, reinterpret_cast<int64_t (*)(int64_t*)>(kernel)};
  one.known = at + 1;
}

void wb_limit(int plan, int64_t limit) { quick::plans[plan]->limit = limit; }
int64_t wb_calls(int plan) { return quick::plans[plan]->calls; }

void wb_metadata(const char* name, const char* overload) {
  quick::registered(name, overload, c10::KernelFunction::makeFromBoxedFunction<&quick::as_cpu>());
}

void wb_empty(const char* name, const char* overload, int strided) {
  quick::registered(name, overload, c10::KernelFunction::makeFromBoxedFunctor(
      std::make_unique<quick::Empty>(strided != 0)));
}

void wb_board(const void* counts, int64_t hold) {
  quick::board = static_cast<const quick::Board*>(counts);
  quick::hold = hold;
}
void wb_current(int device) { quick::current_device = device; }
const int64_t* wb_counters() { return &quick::counters[0][0]; }
void wb_reset_peak(int device) {
  std::lock_guard<std::mutex> lock(quick::guard);
  quick::counters[device][quick::kPeak] = quick::counters[device][quick::kLive];
}
}
