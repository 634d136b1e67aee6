// What Python has told about an operator, and one call's operands. Part of quick.cpp.
#pragma once
#include <ATen/core/stack.h>

#include <array>
#include <atomic>
#include <vector>

#include "walk.h"

namespace quick {
namespace {
// One operator: what its arguments are, and the kernels that Python has compiled for it so far.
struct Plan {
  std::vector<char> roles;  // 't' a tensor or a number in its place, 'n' a number, 'd' its default
  std::vector<double> defaults;
  bool in_place, boolean, generated;
  std::atomic<int64_t> limit;  // elements: above it Python chooses (two cores, the vendor library)
  struct Entry {
    uint32_t key;
    Run run;
  };
  std::array<Entry, 24> entries;
  std::atomic<int> known{0};
  std::atomic<int64_t> calls{0};

  Run kernel(uint32_t key) const {
    for (int i = 0, n = known; i < n; i++)
      if (entries[i].key == key) return entries[i].run;
    return nullptr;
  }
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

// One call's operands, tensors and numbers.
struct Call {
  const at::Tensor* tensors[kMaxOperands - 1];
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
        if (found == kMaxOperands - 1) return false;
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

  // Whether the operands have one dtype and fit the model's shape; `dense` tells whether they can
  // also be walked as one line of memory.
  bool fits(const at::Tensor& model, bool in_place, bool* dense) const {
    *dense = model.is_contiguous();
    for (int i = 0; i < found; i++) {
      const at::Tensor& one = *tensors[i];
      if (one.scalar_type() != model.scalar_type() || one.get_device() != model.get_device())
        return false;
      bool single = one.numel() == 1 && one.dim() <= model.dim();
      if (!single && !expands(one.sizes(), model.sizes())) return false;
      *dense &= single || (one.is_contiguous() && one.sizes() == model.sizes());
      bool same = one.const_data_ptr() == model.const_data_ptr() && one.strides() == model.strides();
      if (in_place && i && one.storage().is_alias_of(model.storage()) && !same) return false;
    }
    return *dense || model.is_non_overlapping_and_dense();
  }
};
}  // namespace
}  // namespace quick
