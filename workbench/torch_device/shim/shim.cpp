// The C++ side of the "wb" device: what PyTorch only asks of C++ objects, answered by Python.
//
// An allocator, a device guard (streams and events), hooks and a generator are registered for
// PrivateUse1. Each forwards to one callback, `ask`, whose answers come from the same Python modules
// that the pure-Python tier uses; nothing is decided here. No torch/extension.h and no pybind: that
// is what keeps the build under ten seconds and half a gigabyte.
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/GeneratorImpl.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstdlib>
#include <cstring>

#include "quick.h"

extern "C" {  // four functions of Python's C interface, without its headers
int PyGILState_Ensure();
void PyGILState_Release(int);
void PyErr_Fetch(void**, void**, void**);
void PyErr_Restore(void*, void*, void*);
}

namespace {
using c10::Device;
using c10::DeviceIndex;
using c10::Stream;
constexpr auto kWb = c10::DeviceType::PrivateUse1;

// The questions; `bridge.py` has the same list.
enum Question : int {
  kAllocate, kFree, kRecordUse, kStatistics, kResetPeak, kEmptyCache, kSetDevice,
  kGetStream, kSetStream, kNewStream, kQueryStream, kSyncStream,
  kSyncDevice, kRecordEvent, kWaitEvent, kQueryEvent, kSyncEvent, kFreeEvent, kElapsedNs,
  kIsPinned, kPin, kUnpin
};
using Ask = int64_t (*)(int question, int64_t a, int64_t b);
Ask python = nullptr;
const char* failure = nullptr;  // set by Python before it answers with -1
int device_count = 1;
int64_t delta = 0, base = 0, device_bytes = 1;

// PyTorch may free a storage while a Python exception is on its way: it is put aside meanwhile.
int64_t ask_quietly(Question question, int64_t a = 0, int64_t b = 0) {
  if (python == nullptr) return 0;
  int state = PyGILState_Ensure();
  void *kind = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&kind, &value, &trace);
  int64_t answer = python(question, a, b);
  PyErr_Restore(kind, value, trace);
  PyGILState_Release(state);
  return answer;
}

int64_t ask(Question question, int64_t a = 0, int64_t b = 0) {
  int64_t answer = ask_quietly(question, a, b);
  if (failure != nullptr) {
    std::string text = failure;
    failure = nullptr;
    if (question == kAllocate) TORCH_CHECK_WITH(OutOfMemoryError, false, text);
    TORCH_CHECK(false, text);
  }
  return answer;
}

DeviceIndex here() { return static_cast<DeviceIndex>(quick::current_device); }
DeviceIndex index_of(Device device) { return device.index() < 0 ? here() : device.index(); }

struct Memory final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    return quick::allocate(bytes, here());
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(static_cast<char*>(to) + delta, static_cast<const char*>(from) + delta, bytes);
  }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override { ask(kEmptyCache); }
  void recordStream(const c10::DataPtr& data, Stream stream) override {
    ask(kRecordUse, reinterpret_cast<int64_t>(data.get()), stream.id());
  }
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(DeviceIndex device) override {
    c10::CachingDeviceAllocator::DeviceStats stats;
    auto read = [device](int which) { return ask(kStatistics, device, which); };
    stats.allocated_bytes[0].current = read(0);
    stats.allocated_bytes[0].peak = read(1);
    stats.reserved_bytes[0].current = read(2);
    stats.reserved_bytes[0].peak = read(3);
    stats.num_ooms = read(7);
    return stats;
  }
  void resetAccumulatedStats(DeviceIndex) override {}
  void resetPeakStats(DeviceIndex device) override { ask(kResetPeak, device); }
  std::pair<size_t, size_t> getMemoryInfo(DeviceIndex device) override {
    int64_t reserved = ask(kStatistics, device, 2);
    return {static_cast<size_t>(device_bytes - reserved), static_cast<size_t>(device_bytes)};
  }
};
Memory memory;

// Pinned host memory: ordinary memory that Python remembers, so that copies may be queued.
void unpin(void* address) {
  ask_quietly(kUnpin, reinterpret_cast<int64_t>(address));
  std::free(address);
}
struct Pinned final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* address = nullptr;
    TORCH_CHECK(posix_memalign(&address, 64, bytes + 1) == 0, "wb: out of host memory");
    ask(kPin, reinterpret_cast<int64_t>(address), static_cast<int64_t>(bytes));
    return {address, address, &unpin, Device(c10::DeviceType::CPU)};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};
Pinned pinned;

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kWb; }
  Device exchangeDevice(Device device) const override {
    Device before(kWb, here());
    setDevice(device);
    return before;
  }
  Device getDevice() const override { return Device(kWb, here()); }
  void setDevice(Device device) const override {
    if (device.index() >= 0 && device.index() != here()) ask(kSetDevice, device.index());
  }
  void uncheckedSetDevice(Device device) const noexcept override {
    if (device.index() != here()) ask_quietly(kSetDevice, device.index());
  }
  Stream stream(Device device, int64_t id) const {
    return Stream(Stream::UNSAFE, Device(kWb, index_of(device)), id);
  }
  Stream getStream(Device d) const override {
    return stream(d, quick::board->side != 0 ? ask(kGetStream, index_of(d)) : 0);
  }
  Stream getDefaultStream(Device d) const override { return stream(d, 0); }
  Stream getStreamFromGlobalPool(Device d, bool) const override { return getNewStream(d, 0); }
  Stream getNewStream(Device d, int priority) const override {
    return stream(d, ask(kNewStream, index_of(d), priority));
  }
  Stream exchangeStream(Stream s) const override {
    return stream(s.device(), ask(kSetStream, s.id(), s.device_index()));
  }
  DeviceIndex deviceCount() const noexcept override {
    return static_cast<DeviceIndex>(device_count);
  }
  void record(void** event, const Stream& s, DeviceIndex, c10::EventFlag) const override {
    int64_t known = reinterpret_cast<int64_t>(*event);
    int64_t where = s.id() * 256 + s.device_index();
    *event = reinterpret_cast<void*>(ask(kRecordEvent, known, where));
  }
  void block(void* event, const Stream& s) const override {
    ask(kWaitEvent, reinterpret_cast<int64_t>(event), s.id() * 256 + s.device_index());
  }
  bool queryEvent(void* event) const override {
    return event == nullptr || ask(kQueryEvent, reinterpret_cast<int64_t>(event)) != 0;
  }
  void destroyEvent(void* event, DeviceIndex) const noexcept override {
    if (event != nullptr) ask_quietly(kFreeEvent, reinterpret_cast<int64_t>(event));
  }
  bool queryStream(const Stream& s) const override {
    return ask(kQueryStream, s.id(), s.device_index()) != 0;
  }
  void synchronizeStream(const Stream& s) const override {
    ask(kSyncStream, s.id(), s.device_index());
  }
  void synchronizeEvent(void* event) const override {
    if (event != nullptr) ask(kSyncEvent, reinterpret_cast<int64_t>(event));
  }
  void synchronizeDevice(DeviceIndex device) const override { ask(kSyncDevice, device); }
  double elapsedTime(void* begin, void* end, DeviceIndex) const override {
    auto ns = ask(kElapsedNs, reinterpret_cast<int64_t>(begin), reinterpret_cast<int64_t>(end));
    return static_cast<double>(ns) / 1e6;
  }
  void recordDataPtrOnStream(const c10::DataPtr& data, const Stream& s) const override {
    ask(kRecordUse, reinterpret_cast<int64_t>(data.get()), s.id());
  }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

// A seed and an offset, as on CUDA; the kernels' keys are drawn from them in Python.
struct Random final : c10::GeneratorImpl {
  uint64_t seed_ = c10::default_rng_seed_val, offset_ = 0;
  explicit Random(DeviceIndex device)
      : GeneratorImpl(Device(kWb, device), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)) {}
  void set_current_seed(uint64_t seed) override { seed_ = seed, offset_ = 0; }
  void set_offset(uint64_t offset) override { offset_ = offset; }
  uint64_t get_offset() const override { return offset_; }
  uint64_t current_seed() const override { return seed_; }
  uint64_t seed() override {
    set_current_seed(c10::detail::getNonDeterministicRandom());
    return seed_;
  }
  void set_state(const c10::TensorImpl& state) override {
    TORCH_CHECK(state.numel() == 16, "RNG state is wrong size: a wb state has 16 bytes");
    std::memcpy(&seed_, state.data(), 8);
    std::memcpy(&offset_, static_cast<const char*>(state.data()) + 8, 8);
  }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    auto state = at::detail::empty_cpu({16}, at::kByte, false, std::nullopt);
    std::memcpy(state.mutable_data_ptr(), &seed_, 8);
    std::memcpy(static_cast<char*>(state.mutable_data_ptr()) + 8, &offset_, 8);
    return state.getIntrusivePtr();
  }
  GeneratorImpl* clone_impl() const override {
    auto* copy = new Random(device().index());
    copy->seed_ = seed_, copy->offset_ = offset_;
    return copy;
  }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return static_cast<DeviceIndex>(device_count); }
  void setCurrentDevice(DeviceIndex device) const override { ask(kSetDevice, device); }
  DeviceIndex getCurrentDevice() const override { return here(); }
  DeviceIndex exchangeDevice(DeviceIndex device) const override {
    DeviceIndex before = here();
    if (device >= 0 && device != before) ask(kSetDevice, device);
    return before;
  }
  DeviceIndex maybeExchangeDevice(DeviceIndex device) const override {
    return exchangeDevice(device);
  }
  bool isPinnedPtr(const void* data) const override {
    return ask(kIsPinned, reinterpret_cast<int64_t>(data)) != 0;
  }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned; }
  Device getDeviceFromPtr(void* data) const override {
    auto index = (reinterpret_cast<int64_t>(data) - base) / device_bytes;
    TORCH_CHECK(index >= 0 && index < device_count, "wb: the address is not on a wb device");
    return Device(kWb, static_cast<DeviceIndex>(index));
  }
  at::Generator getNewGenerator(DeviceIndex device) const override {
    return at::make_generator<Random>(device < 0 ? here() : device);
  }
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    auto fresh = memory.allocate(bytes);
    auto* impl = storage.unsafeGetStorageImpl();
    size_t kept = std::min(impl->nbytes(), bytes);
    if (kept != 0) memory.copy_data(fresh.get(), impl->data(), kept);
    impl->set_data_ptr_noswap(std::move(fresh));
    impl->set_nbytes(bytes);
  }
};
}  // namespace

namespace quick {
int64_t allocate_in_python(int64_t bytes, int device) { return ask(kAllocate, bytes, device); }
void free_in_python(int64_t address) { ask_quietly(kFree, address); }
int64_t kernel_delta() { return delta; }
int device_total() { return device_count; }
c10::Allocator* allocator() { return &memory; }
}  // namespace quick

extern "C" {
void wb_start(Ask callback, int devices, int64_t kernel_delta, int64_t first, int64_t bytes) {
  python = callback;
  device_count = devices, delta = kernel_delta, base = first, device_bytes = bytes;
  c10::SetAllocator(kWb, &memory, 1);
  at::RegisterPrivateUse1HooksInterface(new Hooks());
}
void wb_fail(const char* text) { failure = text; }
void wb_stop() { python = nullptr; }
}
