// The hot path in C++: most elementwise calls, copies and library calls never enter Python.
//
// Python generates and compiles the kernels and says which operators may be answered here
// (`shim/quick.py`); a kernel is handed over as an address once its operator has met its dtypes.
// Everything that needs a decision (promotion, new shapes, queued work, errors) is
// passed on: to the kernel that PyTorch generates around the operator's `.out` form, found under an
// unused backend's key, or to a Python kernel that waits under another one.
// No torch/library.h: its templates cost 100 MB and 4 s.
#include <ATen/core/dispatch/Dispatcher.h>

#include "blocks.h"
#include "library.h"
#include "plan.h"
#include "walk.h"

namespace quick {
const Board kBusy{{1}, {1}};  // until Python shows its own: it decides all
const Board* board = &kBusy;
int64_t hold = 1;  // from here on the board's first count says that nothing may run at once
thread_local int current_device = 0;
int64_t counters[kMaxDevices][kCounters] = {};

namespace {
std::atomic<int64_t> copied_bytes{0};

bool answer(Plan& plan, torch::jit::Stack* stack) {
  if (board->queued != 0 || plan.known == 0) return false;
  Call call;
  if (!call.collect(plan, *stack)) return false;
  const at::Tensor& model = *call.model(plan.in_place);
  int64_t count = model.numel();
  auto dtype = model.scalar_type();
  bool dense;
  if (count == 0 || count > plan.limit || !call.fits(model, plan.in_place, &dense)) return false;
  if (!c10::isFloatingType(dtype) && (call.floats || (call.given && dtype == c10::kBool)))
    return false;
  Run run = plan.kernel(call.key * 64 + static_cast<uint32_t>(dtype));
  if (run == nullptr) return false;
  auto steps = model.strides();
  at::Tensor out = plan.in_place ? model
      : empty(model.sizes(), plan.boolean ? c10::kBool : dtype, model.get_device(),
              model.is_contiguous() ? nullptr : &steps);
  int64_t status;
  if (dense) {
    int64_t words[kMaxWords], *w = words + 2;
    *w++ = address_of(out), *w++ = 1;
    for (int t = 0; t < call.found; t++) {
      *w++ = address_of(*call.tensors[t]);
      *w++ = call.tensors[t]->numel() == count ? 1 : 0;
    }
    for (int n = 0; n < call.given; n++) *w++ = call.numbers[n];
    status = run_shared(run, words, count);
  } else {
    status = run_strided(run, out, call.tensors, call.found, call.numbers, call.given);
  }
  if (status != 0) return false;  // Python runs it again, and explains
  plan.calls++;
  torch::jit::drop(*stack, plan.roles.size());
  torch::jit::push(*stack, std::move(out));
  return true;
}

struct Quick final : c10::OperatorKernel {
  explicit Quick(Plan* p) : plan(p) {}
  Plan* plan;
  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    if (answer(*plan, stack)) return;
    op.redispatchBoxed(c10::DispatchKeySet(plan->generated ? kGenerated : kWaiting), stack);
  }
};

// _copy_from within one device and dtype: a plan whose only operand is the source.
struct Copy final : c10::OperatorKernel {
  explicit Copy(Plan* p) : plan(p) {}
  Plan* plan;
  bool answer(torch::jit::Stack* stack) const {
    auto given = torch::jit::last(*stack, 3);
    const at::Tensor &source = given[0].toTensor(), &out = given[1].toTensor();
    if (board->queued != 0 || !source.is_privateuseone() || !out.is_privateuseone()) return false;
    if (source.get_device() != out.get_device() || source.scalar_type() != out.scalar_type())
      return false;
    if (source.is_conj() != out.is_conj() || source.is_neg() != out.is_neg()) return false;
    if (out.numel() == 0 || out.numel() > kNow || !expands(source.sizes(), out.sizes())) return false;
    if (repeats(out) || source.storage().is_alias_of(out.storage())) return false;
    Run run = plan->kernel(static_cast<uint32_t>(out.scalar_type()));
    const at::Tensor* inputs[] = {&source};
    if (run == nullptr || run_strided(run, out, inputs, 1, nullptr, 0) != 0) return false;
    plan->calls++;
    copied_bytes += static_cast<int64_t>(source.numel() * source.element_size());
    at::Tensor result = out;
    torch::jit::drop(*stack, 3);
    torch::jit::push(*stack, std::move(result));
    return true;
  }
  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    if (!answer(stack)) op.redispatchBoxed(c10::DispatchKeySet(kWaiting), stack);
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
  one.entries[at] = {key, reinterpret_cast<quick::Run>(kernel)};
  one.known = at + 1;
}

void wb_walk(void* team, void* driver) {
  quick::parallel = reinterpret_cast<decltype(quick::parallel)>(team);
  quick::driver = reinterpret_cast<quick::Run>(driver);
}

int wb_copy(const char* name) {
  auto* plan = new quick::Plan();
  quick::plans.push_back(plan);
  quick::registered(name, "", c10::KernelFunction::makeFromBoxedFunctor(
      std::make_unique<quick::Copy>(plan)));
  return static_cast<int>(quick::plans.size()) - 1;
}

int64_t wb_copied_bytes() { return quick::copied_bytes.exchange(0); }

int wb_library(const char* name, const char* overload, int64_t from, int left) {
  auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
  auto call = std::make_unique<quick::LibraryCall>(op.schema(), from, left);
  quick::library_calls.push_back(call.get());
  quick::registered(name, overload, c10::KernelFunction::makeFromBoxedFunctor(std::move(call)));
  return static_cast<int>(quick::library_calls.size()) - 1;
}

void wb_library_mode(int on) { quick::library_on = on; }
int64_t wb_library_news() { return quick::news.exchange(0); }
int64_t wb_library_calls(int call) { return quick::library_calls[call]->calls.exchange(0); }

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
