// Device memory without Python: blocks cached by size, and tensors over them. Part of quick.cpp.
//
// Blocks are kept here between Python's allocator and PyTorch's storages, so that most storages are
// born and die without Python. Larger ones are always asked for.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "quick.h"

namespace quick {
namespace {
constexpr auto kGenerated = c10::DispatchKey::HPU;  // nobody registers anything under it
constexpr auto kWaiting = c10::DispatchKey::MAIA;   // Python's kernels, see quick.py
constexpr size_t kGrain = 512;          // bytes: the allocator's
constexpr size_t kLargest = 1 << 20;    // bytes: larger blocks are always asked for

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
