// Running a compiled kernel from C++: over any strides, on as many cores as PyTorch uses. Part of
// quick.cpp; `codegen/elementwise.py` and `driver/team.py` do the same for what Python launches.
#pragma once
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "blocks.h"

namespace quick {
namespace {
using Run = int64_t (*)(int64_t*);
constexpr int kMaxDims = 6, kMaxOperands = 7, kMaxWords = 192;
constexpr int64_t kSplitFrom = 1 << 15;  // elements: `launch.SPLIT_FROM`
constexpr int64_t kPieces = 8;           // per thread
constexpr int64_t kNow = 1 << 19;        // elements: `launch.NOW`
constexpr int64_t kTile = 32;            // elements each way: from there on Python walks in tiles

// GOMP_parallel: the range is shared out between the threads of PyTorch's own OpenMP team.
void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
Run driver = nullptr;  // calls a loop for each row of a strided shape

struct Shared {
  Run run;
  const int64_t* words;
  int64_t count, piece;
  std::atomic<int64_t> next{0}, status{0};
};

void take_pieces(void* argument) {
  auto& shared = *static_cast<Shared*>(argument);
  int64_t own[kMaxWords];
  std::memcpy(own, shared.words, sizeof own);
  for (int64_t first; (first = shared.next.fetch_add(shared.piece)) < shared.count;) {
    own[0] = first, own[1] = std::min(first + shared.piece, shared.count);
    shared.status |= shared.run(own);
  }
}

// `words` has room for kMaxWords; `weight`: elements for each of `count`.
int64_t run_shared(Run run, int64_t* words, int64_t count, int64_t weight = 1) {
  words[0] = 0, words[1] = count;
  bool alone = count * weight < kSplitFrom || parallel == nullptr;
  int64_t threads = alone ? 1 : std::min<int64_t>(at::get_num_threads(), count);
  if (threads < 2) return run(words);
  Shared shared{run, words, count, std::max<int64_t>(1, count / (threads * kPieces))};
  parallel(&take_pieces, &shared, static_cast<unsigned>(threads), 0);
  return shared.status;
}

// Whether elements of a tensor share memory with each other: an expanded view, not to be written to.
bool repeats(const at::Tensor& tensor) {
  auto sizes = tensor.sizes(), steps = tensor.strides();
  for (size_t d = 0; d < sizes.size(); d++)
    if (sizes[d] > 1 && steps[d] == 0) return true;
  return false;
}

// Whether a tensor of one shape can stand for one of another, as broadcasting has it.
bool expands(c10::IntArrayRef from, c10::IntArrayRef to) {
  if (from.size() > to.size()) return false;
  for (size_t d = 1; d <= from.size(); d++)
    if (from[from.size() - d] != 1 && from[from.size() - d] != to[to.size() - d]) return false;
  return true;
}

// The fewest dimensions that visit the same elements, the result's innermost one last.
struct Walk {
  int dims = 0, operands = 0;
  int64_t sizes[kMaxDims], strides[kMaxOperands][kMaxDims];

  Walk(const at::Tensor& out, const at::Tensor* const* inputs, int count) : operands(count + 1) {
    int order[kMaxDims], kept = 0, lead = static_cast<int>(out.dim());
    for (int d = 0; d < lead; d++)
      if (out.size(d) != 1) order[kept++] = d;
    std::stable_sort(order, order + kept,
                     [&](int a, int b) { return out.stride(a) > out.stride(b); });
    for (int k = 0; k < kept; k++) {
      int64_t steps[kMaxOperands], size = out.size(order[k]);
      for (int t = 0; t < operands; t++) {
        const at::Tensor& one = t == 0 ? out : *inputs[t - 1];
        int64_t d = order[k] - (lead - one.dim());
        steps[t] = d < 0 || one.size(d) == 1 ? 0 : one.stride(d);
      }
      bool joins = dims > 0;
      for (int t = 0; t < operands && joins; t++)
        joins = strides[t][dims - 1] == steps[t] * size;
      if (joins) sizes[dims - 1] *= size;
      else sizes[dims++] = size;
      for (int t = 0; t < operands; t++) strides[t][dims - 1] = steps[t];
    }
  }

  bool crosses() const {
    if (dims < 2 || sizes[dims - 1] < kTile || sizes[dims - 2] < kTile) return false;
    for (int t = 0; t < operands; t++)
      if (std::abs(strides[t][dims - 1]) > std::abs(strides[t][dims - 2]) &&
          strides[t][dims - 2] != 0)
        return true;
    return false;
  }
};

// Run a loop whose operands are `out`, then `inputs`, then numbers. Returns a status, or -1 where
// Python has to walk (many dimensions, tiles).
int64_t run_strided(Run run, const at::Tensor& out, const at::Tensor* const* inputs, int count,
                    const int64_t* numbers, int given) {
  if (driver == nullptr || out.dim() > kMaxDims || count + 1 > kMaxOperands) return -1;
  Walk walk(out, inputs, count);
  if (walk.crosses()) return -1;
  int64_t words[kMaxWords], loop[32], *w = loop;
  int outer = std::max(walk.dims - 1, 0);
  int64_t inner = walk.dims ? walk.sizes[outer] : 1, rows = 1;
  *w++ = 0, *w++ = inner;
  for (int t = 0; t < walk.operands; t++) {
    *w++ = address_of(t == 0 ? out : *inputs[t - 1]);
    *w++ = walk.dims ? walk.strides[t][outer] : 1;
  }
  for (int n = 0; n < given; n++) *w++ = numbers[n];
  int64_t used = w - loop;
  if (outer == 0) {
    std::copy(loop, w, words);
    return run_shared(run, words, inner);
  }
  w = words + 2;
  *w++ = reinterpret_cast<int64_t>(run), *w++ = outer, *w++ = walk.operands, *w++ = used;
  for (int d = 0; d < outer; d++) *w++ = walk.sizes[d], rows *= walk.sizes[d];
  for (int t = 0; t < walk.operands; t++)
    for (int d = 0; d < outer; d++)
      *w++ = walk.strides[t][d] * static_cast<int64_t>((t == 0 ? out : *inputs[t - 1]).element_size());
  std::copy(loop, loop + used, w);
  return run_shared(driver, words, rows, inner);
}
}  // namespace
}  // namespace quick
