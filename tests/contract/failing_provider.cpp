// A plug-in provider that takes the first node it is shown, and fails where it is told to:
// compile with -DAT=<name of the step> and -DHOW=<one of the functions below>.
// Everything but the answers is the workbench's own provider, whose file is given as -DPROVIDER.
#include <cstdlib>
#include <cstring>

#define CreateEpFactories ProvidersFactories
#include PROVIDER
#undef CreateEpFactories

enum Step { create_factories, get_capability_step, compile_step, run_step, nowhere };
static volatile char* volatile nowhere_at_all;
static void null_pointer() { *nowhere_at_all = 1; }
static void aborts() { fputs("the vendor's last words\n", stderr); fflush(stderr); abort(); }
static void loops() { for (volatile bool on = true; on;) {} }
static void eats() {
  for (;;) { size_t size = size_t{64} << 20; memset(malloc(size), 1, size); }
}
static void harmless() {}
static void reached(Step step) { if (step == AT) HOW(); }

extern "C" Status CreateEpFactories(const char* name, void** base, Opaque logger, Factory** made,
                                    size_t most, size_t* number) {
  reached(create_factories);
  workbench_set(
      [](const char* nodes, uint8_t* taken) -> const char* {
        reached(get_capability_step);
        taken[0] = strcmp(nodes, "[]") != 0;
        return nullptr;
      },
      [](int64_t, const char*, const char*) -> const char* { reached(compile_step); return nullptr; },
      [](int64_t, void* context, int32_t, const Tensor* inputs, Allocate allocate) -> const char* {
        reached(run_step);
        int64_t count = 1;
        for (int i = 0; i < inputs[0].rank; ++i) count *= inputs[0].dims[i];
        memcpy(allocate(context, 0, inputs[0].dims, inputs[0].rank), inputs[0].data, count * 4);
        return nullptr;
      },
      nullptr);
  return ProvidersFactories(name, base, logger, made, most, number);
}
