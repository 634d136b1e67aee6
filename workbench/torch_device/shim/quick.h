// What shim.cpp (PyTorch's questions) and quick.cpp (the hot path) tell each other.
#pragma once
#include <c10/core/Allocator.h>

#include <atomic>

namespace quick {
constexpr int kMaxDevices = 8;
enum Counter : int { kAllocations, kFrees, kHits, kLive, kPeak, kCounters };
// The board of core/queue.py: pieces queued anywhere; those on side streams, and threads in one.
struct Board {
  std::atomic<int64_t> queued, side;
};
extern const Board* board;
extern int64_t hold;
extern thread_local int current_device;
extern int64_t counters[kMaxDevices][kCounters];

c10::DataPtr allocate(size_t bytes, int device);

// shim.cpp answers these.
int64_t allocate_in_python(int64_t bytes, int device);
void free_in_python(int64_t address);
int64_t kernel_delta();
int device_total();
c10::Allocator* allocator();
}  // namespace quick
