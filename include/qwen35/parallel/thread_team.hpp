// SPDX-License-Identifier: Apache-2.0
// The threads that help with parallel loops: an OpenMP team that is kept and parked.
//
// A plain `#pragma omp parallel` leaves it to the environment how long the threads spin after each region; on a busy
// machine, or with several callers, they take the processors from those who have work. Here one long OpenMP region is
// held open by a thread of ours, its members wait for loops: they spin for microseconds, then sleep. All callers of the
// process share them. A call takes members that are free, never waits for one that another call has, and takes back
// those that have not begun when its iterations are used up.
#pragma once

#include <qwen35/parallel/spin.hpp>
#include <qwen35/parallel/thread_count.hpp>

#include <cstddef>
#include <cstdint>

#if defined(_OPENMP)
#include <pthread.h>
#include <new>
#endif

QWEN35_BEGIN_NAMESPACE

// A loop on the stack of the thread that runs it.
struct ParallelLoop {
  // Takes iterations until none is left; true when it had one. Throws nothing.
  bool (*work)(ParallelLoop& loop);
  std::size_t count;
  alignas(64) std::atomic<std::size_t> next{0};
};

// Runs a loop on the calling thread and on at most `threads` - 1 that are free.
void run_loop(ParallelLoop& loop, int threads);

namespace detail {
inline constinit thread_local std::uint64_t regions = 0;
}  // namespace detail

// Regions that the calling thread has opened: loops that it ran with the help of others, or might have.
inline std::uint64_t parallel_regions() {
  return detail::regions;
}

#if defined(_OPENMP)

namespace detail {

// The place of one helper. Its state is 8 times the number of its loop, plus what happens to it.
struct alignas(64) HelperSlot {
  static constexpr std::uint32_t free = 0, claimed = 1, offered = 2, running = 3, gone = 4, kinds = 8;

  std::atomic<std::uint32_t> state{free};
  ParallelLoop* loop = nullptr;  // of the offer; written between claimed and offered, read between running and free
};

// Helpers that started together: one OpenMP region. Never deleted: a caller may be looking through its slots.
struct HelperGang {
  HelperSlot* slots;
  int count;
  pthread_t host;
  HelperGang* next;
};

// All helpers of the process. Constant from the start and never destroyed, as any static object's destructor may run a
// loop.
struct ThreadTeam {
  std::atomic<HelperGang*> gangs{nullptr};
  std::atomic<int> helpers{0};  // in all gangs
  std::atomic<int> busy{0};     // threads that run loops, callers and helpers
  std::atomic<int> growth{0};   // 0: may grow; 1: a caller is at it; 2: over
};
inline constinit ThreadTeam team;

}  // namespace detail

#endif

QWEN35_END_NAMESPACE

#if QWEN35_BODIES && defined(_OPENMP)

#if defined(__linux__)
#include <dlfcn.h>
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

#if defined(__linux__)
// References that a program without these functions, a static one, does without.
[[gnu::weakref("dladdr")]] static int library_of(const void* address, Dl_info* info);
[[gnu::weakref("dlopen")]] static void* open_library(const char* path, int flags);
#endif

// The OpenMP library ends its threads a moment after that of their region. If it were unloaded together with the
// library that this is part of, GCC's would be missing under them.
QWEN35_BODY void keep_openmp_loaded() {
#if defined(__linux__)
  Dl_info info{};
  if (library_of != nullptr && open_library != nullptr &&
      library_of(reinterpret_cast<const void*>(&omp_get_thread_num), &info) != 0) {
    open_library(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
#endif
}

// One wait: 50 us of spinning (waking a thread takes 5 to 50, the gaps between a token's loops are shorter), whatever
// the environment says, then sleep. Returns the state that is not among those waited for.
template <class Waiting>
inline std::uint32_t await(const std::atomic<std::uint32_t>& state, bool spin, const Waiting& waiting) {
  constexpr std::int64_t spin_time = 50'000;
  std::int64_t end = 0;
  std::uint32_t seen = state.load(std::memory_order_acquire);
  for (unsigned round = 0; waiting(seen); seen = state.load(std::memory_order_acquire)) {
    if (!spin) {
      state.wait(seen);
      continue;
    }
    pause_processor();
    if (++round % 32 == 0) {
      const std::int64_t now = monotonic_nanoseconds();
      end = end == 0 ? now + spin_time : end;
      spin = now < end;
    }
  }
  return seen;
}

// A change of state that somebody may sleep for. (Sequentially consistent: notify looks whether anybody sleeps, and
// must not look before the change is seen.)
QWEN35_BODY void change(HelperSlot& slot, std::uint32_t state) {
  slot.state.store(state);
  slot.state.notify_all();
}

// No loop is offered to this slot from here on. Waits for the one that it has.
QWEN35_BODY void retire(HelperSlot& slot) {
  for (;;) {
    std::uint32_t seen = await(slot.state, false, [](std::uint32_t state) {
      const std::uint32_t kind = state % HelperSlot::kinds;
      return kind != HelperSlot::free && kind != HelperSlot::gone;
    });
    if (seen % HelperSlot::kinds == HelperSlot::gone) {
      return;
    }
    if (slot.state.compare_exchange_strong(seen, seen - HelperSlot::free + HelperSlot::gone)) {
      slot.state.notify_all();
      return;
    }
  }
}

// What a helper does all its life.
QWEN35_BODY void help(HelperSlot& slot) {
  const InsideLoop inside;
  for (bool spin = true;;) {
    std::uint32_t seen = await(slot.state, spin, [](std::uint32_t state) {
      const std::uint32_t kind = state % HelperSlot::kinds;
      return kind == HelperSlot::free || kind == HelperSlot::claimed;
    });
    if (seen % HelperSlot::kinds == HelperSlot::gone) {
      return;
    }
    const std::uint32_t free = seen - HelperSlot::offered;
    spin = false;  // one that comes too late goes back to sleep: the processor is somebody else's
    if (slot.state.compare_exchange_strong(seen, free + HelperSlot::running)) {
      spin = slot.loop->work(*slot.loop);
      change(slot, free);
    }
  }
}

QWEN35_BODY void* host(void* argument) {
  HelperGang& gang = *static_cast<HelperGang*>(argument);
#pragma omp parallel num_threads(gang.count)
  {
    if (omp_get_thread_num() == 0) {  // OMP_THREAD_LIMIT may leave places empty
      for (int i = omp_get_num_threads(); i < gang.count; ++i) {
        retire(gang.slots[i]);
      }
    }
    help(gang.slots[omp_get_thread_num()]);
  }
  return nullptr;
}

// Ends the helpers when the program ends, or the library that this is part of is unloaded; loops that run later run on
// their callers.
struct TeamEnd {
  TeamEnd() { keep_openmp_loaded(); }
  ~TeamEnd() {
    if (inside_parallel_loop()) {
      return;  // an iteration ends the program: the helpers may be in the same loop
    }
    for (int open = 0; !team.growth.compare_exchange_weak(open, 2) && open != 2; open = 0) {
      pause_processor();
    }
    for (HelperGang* gang = team.gangs.load(); gang != nullptr; gang = gang->next) {
      for (int i = 0; i < gang->count; ++i) {
        retire(gang->slots[i]);
      }
      pthread_join(gang->host, nullptr);
    }
  }
};

// The child of a fork has none of the threads: it starts anew.
QWEN35_BODY void forget_team() {
  team.gangs.store(nullptr);
  team.helpers.store(0);
  team.busy.store(0);
  team.growth.store(0);
}

// Starts `count` helpers more. When the system refuses, the team stays as it is for good.
QWEN35_BODY void grow_team(int count) {
  int open = 0;
  if (!team.growth.compare_exchange_strong(open, 1)) {
    return;
  }
  static const TeamEnd at_end;
  static const int at_fork = pthread_atfork(nullptr, nullptr, forget_team);
  HelperSlot* const slots = new (std::nothrow) HelperSlot[static_cast<std::size_t>(count)];
  HelperGang* const gang = new (std::nothrow) HelperGang{slots, count, {}, team.gangs.load()};
  if (at_fork != 0 || slots == nullptr || gang == nullptr || pthread_create(&gang->host, nullptr, host, gang) != 0) {
    delete gang;
    delete[] slots;
    team.growth.store(2);
    return;
  }
  team.gangs.store(gang);
  team.helpers.fetch_add(count);
  team.growth.store(0);
}

struct Claim {
  HelperSlot* slot;
  std::uint32_t free;  // the slot's state before and after
};

// Offers the loop to at most `wanted` helpers that are free.
QWEN35_BODY int offer(ParallelLoop& loop, int wanted, Claim* claims) {
  int taken = 0;
  for (HelperGang* gang = team.gangs.load(std::memory_order_acquire); gang != nullptr; gang = gang->next) {
    for (int i = 0; i < gang->count && taken < wanted; ++i) {
      HelperSlot& slot = gang->slots[i];
      std::uint32_t seen = slot.state.load(std::memory_order_relaxed);
      if (seen % HelperSlot::kinds != HelperSlot::free) {
        continue;
      }
      const std::uint32_t free = seen + HelperSlot::kinds;
      if (slot.state.compare_exchange_strong(seen, free + HelperSlot::claimed)) {
        slot.loop = &loop;
        change(slot, free + HelperSlot::offered);
        claims[taken++] = {&slot, free};
      }
    }
  }
  return taken;
}

// Takes the offer back, or waits until the helper that has taken it is done.
QWEN35_BODY void settle(const Claim& claim) {
  std::uint32_t offered = claim.free + HelperSlot::offered;
  if (claim.slot->state.compare_exchange_strong(offered, claim.free)) {
    claim.slot->state.notify_all();
  } else {
    await(claim.slot->state, true, [&](std::uint32_t state) { return state == claim.free + HelperSlot::running; });
  }
}

}  // namespace detail

QWEN35_BODY void run_loop(ParallelLoop& loop, int threads) {
  constexpr int most_helpers = 255;
  detail::Claim claims[most_helpers];
  threads = std::min(threads, most_helpers + 1);

  // No more than are allowed at once, by whoever calls.
  const int limit = thread_limit() > 0 ? thread_limit() : std::max(processors_of_process(), threads);
  const int helpers = std::clamp(limit - detail::team.busy.fetch_add(threads) - 1, 0, threads - 1);
  detail::team.busy.fetch_sub(threads - 1 - helpers);

  int taken = helpers > 0 ? detail::offer(loop, helpers, claims) : 0;
  if (taken < helpers && detail::team.helpers.load() < limit - 1) {
    detail::grow_team(std::min(helpers - taken, limit - 1 - detail::team.helpers.load()));
    taken += detail::offer(loop, helpers - taken, claims + taken);
  }
  {
    const InsideLoop inside;
    loop.work(loop);
  }
  for (int i = 0; i < taken; ++i) {
    detail::settle(claims[i]);
  }
  detail::team.busy.fetch_sub(1 + helpers);
  ++detail::regions;
}

QWEN35_END_NAMESPACE

#endif
