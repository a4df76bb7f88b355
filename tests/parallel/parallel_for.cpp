// SPDX-License-Identifier: Apache-2.0
#include <qwen35/parallel/parallel_for.hpp>

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

using namespace qwen35;

TEST_CASE("parallel_for visits every index once, whatever the thread count") {
  for (const int threads : {1, 2, 3, 7}) {
    const ThreadCount scope(threads);
    for (const std::size_t count : {0u, 1u, 2u, 3u, 100u}) {
      std::vector<int> visits(count, 0);
      parallel_for(count, [&](std::size_t i) { ++visits[i]; });
      CHECK(visits == std::vector<int>(count, 1));
    }
  }
}

TEST_CASE("parallel_ranges covers the interval with grain-aligned ranges") {
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount scope(threads);
    for (const std::size_t count : {0u, 1u, 2u, 15u, 16u, 17u, 64u, 101u}) {
      for (const std::size_t grain : {0u, 1u, 4u, 16u, 200u}) {
        std::vector<int> visits(count, 0);
        std::atomic<int> ranges{0};
        std::atomic<bool> aligned{true};
        parallel_ranges(count, grain, [&](std::size_t begin, std::size_t end) {
          ++ranges;
          if (begin >= end || (grain > 0 && begin % grain != 0) || (grain > 0 && end != count && end % grain != 0)) {
            aligned = false;
          }
          for (std::size_t i = begin; i < end; ++i) {
            ++visits[i];
          }
        });
        CHECK(visits == std::vector<int>(count, 1));
        CHECK(aligned);
        CHECK(ranges <= threads);
      }
    }
  }
}

TEST_CASE("the thread count belongs to the calling thread and its scope") {
  set_num_threads(0);
  const int by_default = num_threads();
  CHECK(by_default >= 1);
  {
    const ThreadCount outer(3);
    const int expected = thread_backend() == "openmp" ? 3 : 1;
    CHECK(num_threads() == expected);
    {
      const ThreadCount inner(1);
      CHECK(num_threads() == 1);
    }
    CHECK(num_threads() == expected);
    parallel_for(2, [&](std::size_t) { CHECK_MESSAGE(num_threads() == 1, "a loop in a loop runs inline"); });
  }
  CHECK(num_threads() == by_default);
  CHECK_THROWS_AS(set_num_threads(-1), InputError);
  CHECK_THROWS_AS(set_num_threads(5000), InputError);
  CHECK_THROWS_WITH_AS(ThreadCount(-3), "set_num_threads: expected 0 (default) to 4096 threads, got -3", InputError);
  CHECK(num_threads() == by_default);
}

TEST_CASE("nested loops visit everything") {
  const ThreadCount scope(2);
  std::vector<std::vector<int>> visits(4, std::vector<int>(5, 0));
  parallel_for(4, [&](std::size_t i) { parallel_for(5, [&](std::size_t j) { ++visits[i][j]; }); });
  for (const std::vector<int>& row : visits) {
    CHECK(row == std::vector<int>(5, 1));
  }
}

TEST_CASE("an error inside a loop is raised once, by the loop") {
  for (const int threads : {1, 2, 4}) {
    const ThreadCount scope(threads);
    CHECK_THROWS_WITH_AS(parallel_for(50, [](std::size_t i) { require<InputError>(i != 31, "bad index ", i); }),
                         "bad index 31", InputError);
    CHECK_THROWS_AS(parallel_for(50, [](std::size_t) { raise<CacheError>("each"); }), CacheError);
    std::vector<int> visits(10, 0);
    parallel_for(10, [&](std::size_t i) { ++visits[i]; });  // the next loop is unharmed
    CHECK(std::accumulate(visits.begin(), visits.end(), 0) == 10);
  }
}

TEST_CASE("the backend is named") {
#if defined(_OPENMP)
  CHECK(thread_backend() == "openmp");
#else
  CHECK(thread_backend() == "serial");
#endif
}

TEST_CASE("parallel_tasks runs each task once, small work on the calling thread") {
  for (const std::size_t work : {std::size_t{10}, std::size_t{10'000'000}}) {
    std::vector<int> seen(37, 0);
    parallel_tasks(work, seen.size(), [&](std::size_t task) {
      ++seen[task];
      if (work < 100) {
        CHECK(!detail::inside_parallel_loop());
      }
    });
    CHECK(seen == std::vector<int>(37, 1));
  }
}
