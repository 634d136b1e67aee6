// The vendor library without Python: an operator's CPU kernel, run in place on device memory. Part
// of quick.cpp; `vendor.py` says which operators, and answers whatever is passed on from here.
#pragma once
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include "walk.h"

namespace quick {
namespace {
constexpr int64_t kTerms = 1 << 27;  // multiply-adds: some 3 ms
std::atomic<int> library_on{1};
std::atomic<int64_t> news{0};  // calls since Python asked last

// A CPU tensor over the bytes of a device tensor, in the kernels' mapping.
at::Tensor on_host(const at::Tensor& tensor) {
  const auto& storage = tensor.storage();
  auto* data = static_cast<char*>(const_cast<void*>(storage.data())) + kernel_delta();
  auto alias = c10::make_intrusive<c10::StorageImpl>(
      c10::StorageImpl::use_byte_size_t(), storage.nbytes(),
      c10::DataPtr(data, c10::Device(c10::DeviceType::CPU)), nullptr, false);
  auto made = at::detail::make_tensor<c10::TensorImpl>(
      std::move(alias), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
  made.unsafeGetTensorImpl()->set_storage_offset(tensor.storage_offset());
  made.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides());
  return made;
}

struct LibraryCall final : c10::OperatorKernel {
  LibraryCall(const c10::FunctionSchema& schema, int64_t least, int factor)
      : from(least), left(factor) {
    for (const auto& argument : schema.arguments()) outs.push_back(argument.is_out());
  }
  std::vector<bool> outs;
  int64_t from;  // elements of the result: below it our own kernels start faster
  int left;      // a product's left factor, whose last size is the terms of each element; or -1
  std::atomic<int64_t> calls{0};

  // Whether an idle device's caller does it itself, as with kernels; Python queues larger work.
  bool is_short(int64_t elements, c10::ArrayRef<c10::IValue> given) const {
    if (elements > kNow) return false;
    return left < 0 || elements * given[left].toTensor().size(-1) <= kTerms;
  }

  bool answer(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
    auto given = torch::jit::last(*stack, outs.size());
    torch::jit::Stack host;
    host.reserve(outs.size());
    std::vector<at::Tensor> results;
    int device = -1;
    for (size_t i = 0; i < outs.size(); i++) {
      if (!given[i].isTensor() || !given[i].toTensor().defined()) {
        host.push_back(given[i]);
        continue;
      }
      const at::Tensor& one = given[i].toTensor();
      if (!one.is_privateuseone() || one.is_conj() || one.is_neg() || one.numel() == 0) return false;
      if (device >= 0 && one.get_device() != device) return false;  // Python says what is wrong
      device = one.get_device();
      if (outs[i] && (one.numel() < from || !is_short(one.numel(), given))) return false;
      host.emplace_back(on_host(one));
      if (outs[i]) results.push_back(one);
    }
    auto kept = host;
    try {
      c10::impl::ExcludeDispatchKeyGuard below(c10::autograd_dispatch_keyset_with_ADInplaceOrView);
      op.callBoxed(&host);
    } catch (const std::exception&) {
      return false;  // Python runs it again, and the error is raised there
    }
    for (size_t i = 0, r = 0; i < outs.size(); i++)  // a wrong shape: the CPU resized its alias
      if (outs[i] && kept[i].toTensor().sizes() != results[r++].sizes()) return false;
    calls++, news++;
    torch::jit::drop(*stack, outs.size());
    for (auto& one : results) torch::jit::push(*stack, std::move(one));
    return true;
  }

  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
    if (library_on && board->queued == 0 && answer(op, stack)) return;
    op.redispatchBoxed(c10::DispatchKeySet(kWaiting), stack);
  }
};
std::vector<LibraryCall*> library_calls;
}  // namespace
}  // namespace quick
