// SPDX-License-Identifier: Apache-2.0
// Faults of the system at the n-th of the calls that writing a file makes. For one translation unit of a program on
// Linux: it defines those calls.
#pragma once

#include <qwen35/core/error.hpp>

#include "support/left_parts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace test_support {

// `error`: errno of the failing call, SIGKILL instead of it when `kill`; neither: a write of half the bytes.
struct SystemFault {
  int error = 0;
  bool kill = false;
};

struct SystemFaults {
  SystemFault fault;
  std::size_t at = 0;  // which call; 0: none
  std::size_t calls = 0;
  std::string hit;  // the call that failed

  bool strikes(const char* name) {
    if (at == 0 || ++calls != at) {
      return false;
    }
    if (fault.kill) {
      ::kill(::getpid(), SIGKILL);
    }
    hit = name;
    errno = fault.error;
    return fault.error != 0;
  }
};
inline SystemFaults system_faults;

// While it lives the `at`-th call fails.
struct Failing {
  Failing(const SystemFault& fault, std::size_t at) { system_faults = {fault, at, 0, {}}; }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  ~Failing() { system_faults.at = 0; }
};

}  // namespace test_support

extern "C" {

inline long system_call(const char* name, long number, long a, long b = 0, long c = 0, long d = 0, long e = 0) {
  return test_support::system_faults.strikes(name) ? -1 : ::syscall(number, a, b, c, d, e);
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(list, int) : 0;
  va_end(list);
  return static_cast<int>(system_call("open", SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), flags, mode));
}
int openat(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(list, int) : 0;
  va_end(list);
  return static_cast<int>(system_call("openat", SYS_openat, folder, reinterpret_cast<long>(path), flags, mode));
}
ssize_t write(int file, const void* bytes, size_t size) {
  test_support::SystemFaults& faults = test_support::system_faults;
  const bool now = faults.at > 0 && faults.calls + 1 == faults.at;
  const size_t part = now && faults.fault.error == 0 && !faults.fault.kill ? (size + 1) / 2 : size;
  return system_call("write", SYS_write, file, reinterpret_cast<long>(bytes), static_cast<long>(part));
}
ssize_t read(int file, void* bytes, size_t size) {
  return system_call("read", SYS_read, file, reinterpret_cast<long>(bytes), static_cast<long>(size));
}
int close(int file) {
  const bool strikes = test_support::system_faults.strikes("close");
  const int reason = errno;
  const long done = ::syscall(SYS_close, file);  // whatever it says, it is closed
  errno = strikes ? reason : errno;
  return strikes ? -1 : static_cast<int>(done);
}
// Nothing waits for a disk.
int fsync(int) {
  return test_support::system_faults.strikes("fsync") ? -1 : 0;
}
int fchmod(int file, mode_t mode) noexcept {
  return static_cast<int>(system_call("fchmod", SYS_fchmod, file, static_cast<long>(mode)));
}
int renameat(int from, const char* name, int to, const char* other) noexcept {
  return static_cast<int>(
      system_call("renameat", SYS_renameat2, from, reinterpret_cast<long>(name), to, reinterpret_cast<long>(other)));
}
int linkat(int from, const char* name, int to, const char* other, int flags) noexcept {
  return static_cast<int>(
      system_call("linkat", SYS_linkat, from, reinterpret_cast<long>(name), to, reinterpret_cast<long>(other), flags));
}
int unlink(const char* path) noexcept {
  return static_cast<int>(system_call("unlink", SYS_unlinkat, AT_FDCWD, reinterpret_cast<long>(path)));
}
int unlinkat(int folder, const char* name, int flags) noexcept {
  return static_cast<int>(system_call("unlinkat", SYS_unlinkat, folder, reinterpret_cast<long>(name), flags));
}
int mkdir(const char* path, mode_t mode) noexcept {
  return static_cast<int>(
      system_call("mkdir", SYS_mkdirat, AT_FDCWD, reinterpret_cast<long>(path), static_cast<long>(mode)));
}
int getentropy(void* bytes, size_t size) {
  return system_call("getentropy", SYS_getrandom, reinterpret_cast<long>(bytes), static_cast<long>(size)) ==
                 static_cast<long>(size)
             ? 0
             : -1;
}

}  // extern "C"

namespace test_support {

inline std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> out;
  DIR* const open = ::opendir(folder.c_str());
  while (const dirent* const entry = open != nullptr ? ::readdir(open) : nullptr) {
    if (entry->d_name[0] != '.' || std::strlen(static_cast<const char*>(entry->d_name)) > 2) {
      out.emplace_back(static_cast<const char*>(entry->d_name));
    }
  }
  if (open != nullptr) {
    ::closedir(open);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// What may be told of a state after a failed save.
struct FaultReport {
  std::size_t calls = 0;  // that failed
  std::vector<std::string> wrong;
};

// Fails each call of save(), with each of `errors` (0: a short write) and with SIGKILL, and looks what is there then;
// what SIGKILL leaves the next save() removes.
// `before` writes the old state into `folder` or removes it; `state` says which one loads: "old", "new", or "none"
// where it says that it does not load. Of one file that must be old or new; of several also none.
template <class Before, class Save, class State>
FaultReport fail_each_call(const std::string& folder, bool one_file, const Before& before, const Save& save,
                           const State& state, const std::vector<int>& errors = {EIO, ENOSPC, EMFILE, EINTR, 0}) {
  FaultReport out;
  const auto note = [&](const std::string& how, std::size_t at, const std::string& what) {
    out.wrong.push_back(how + " at call " + std::to_string(at) + " (" + system_faults.hit + "): " + what);
  };
  before();
  const std::vector<std::string> old_names = names_in(folder);
  save();
  const std::vector<std::string> new_names = names_in(folder);
  for (const int error : errors) {
    const std::string how = error == 0 ? "a short write" : std::strerror(error);
    for (std::size_t at = 1;; ++at) {
      before();
      bool failed = false;
      {
        const Failing failing({error, false}, at);
        try {
          save();
        } catch (const qwen35::Error&) {
          failed = true;
        }
      }
      const bool all = system_faults.hit.empty();
      const std::string now = state();
      const std::vector<std::string> names = names_in(folder);
      const bool after_name = system_faults.hit == "fsync" && now == "new";  // in place, perhaps not on the disk
      if (!failed && now != "new") {
        note(how, at, "no error, but loads " + now);
      }
      // Only between the names of several files it may be neither.
      const bool naming =
          system_faults.hit == "renameat" || system_faults.hit == "unlink" || system_faults.hit == "fsync";
      if (failed && now != "old" && !after_name && (one_file || now != "none" || !naming)) {
        note(how, at, "an error, and loads " + now);
      }
      for (const std::string& name : names) {
        if (std::find(old_names.begin(), old_names.end(), name) == old_names.end() &&
            std::find(new_names.begin(), new_names.end(), name) == new_names.end()) {
          note(how, at, "leaves " + name);
        }
      }
      const std::string& hit = system_faults.hit;
      if (failed && (error == 0 || (error == EINTR && (hit == "open" || hit == "openat" || hit == "write" ||
                                                       hit == "read" || hit == "fsync" || hit == "close")))) {
        note(how, at, "is an error");
      }
      if (all) {
        break;
      }
      ++out.calls;
    }
  }
  for (std::size_t at = 1;; ++at) {
    before();
    const pid_t child = ::fork();
    if (child == 0) {
      const Failing failing({0, true}, at);
      save();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    age_parts(folder);
    const std::string now = state();
    if (now != "old" && now != "new" && (one_file || now != "none")) {
      note("SIGKILL", at, "loads " + now);
    }
    save();
    for (const std::string& name : names_in(folder)) {
      if (name.starts_with(".qwen35-")) {
        note("SIGKILL", at, "leaves " + name + " behind the next save");
        ::unlink((folder + "/" + name).c_str());
      }
    }
    if (WIFEXITED(status)) {
      break;
    }
    ++out.calls;
  }
  return out;
}

}  // namespace test_support
