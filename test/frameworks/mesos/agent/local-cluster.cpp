// A Mesos master and agents in one process, out of the library of PyPI's mesos.scheduler: its driver starts a cluster when its master is
// "local". All agents read the same environment; between two of them this program changes it (AGENT_1_MESOS_HOSTNAME becomes
// MESOS_HOSTNAME for agent 1), which it notices by the folders that each makes.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

extern char** environ;

namespace {

int configured = 0;

void configure(int agent) {
  const std::string prefix = "AGENT_" + std::to_string(agent) + "_";
  std::string found[16];
  int count = 0;
  for (char** entry = environ; *entry != nullptr && count < 16; entry++)
    if (strncmp(*entry, prefix.c_str(), prefix.size()) == 0) found[count++] = *entry + prefix.size();
  for (int i = 0; i < count; i++) {
    const size_t equals = found[i].find('=');
    setenv(found[i].substr(0, equals).c_str(), found[i].substr(equals + 1).c_str(), 1);
  }
}

void* library = nullptr;

template <typename Function>
Function symbol(const char* name) {
  void* found = dlsym(library, name);
  if (found == nullptr) {
    fprintf(stderr, "the library has no %s\n", name);
    exit(1);
  }
  return reinterpret_cast<Function>(found);
}

// The callbacks of a scheduler in the order of the library's class; only errors are of interest.
struct Scheduler {
  virtual ~Scheduler() {}
  virtual void registered(void*, const void*, const void*) {}
  virtual void reregistered(void*, const void*) {}
  virtual void disconnected(void*) {}
  virtual void resourceOffers(void*, const void*) {}
  virtual void offerRescinded(void*, const void*) {}
  virtual void statusUpdate(void*, const void*) {}
  virtual void frameworkMessage(void*, const void*, const void*, const void*) {}
  virtual void slaveLost(void*, const void*) {}
  virtual void executorLost(void*, const void*, const void*, int) {}
  virtual void error(void*, const std::string& message) { fprintf(stderr, "error: %s\n", message.c_str()); }
};

}  // namespace

// The library calls this one: agent N makes folders below .../N or .../agents/N.
extern "C" int mkdir(const char* path, mode_t mode) {
  const char* root = getenv("MESOS_WORK_DIR");
  if (root != nullptr && strncmp(path, root, strlen(root)) == 0) {
    const char* rest = path + strlen(root);
    int agent = -1;
    if (sscanf(rest, "/agents/%d", &agent) == 1 || sscanf(rest, "/%d", &agent) == 1) {
      if (agent >= configured) {
        configured = agent + 1;
        configure(configured);
      }
    }
  }
  return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  configure(0);
  if (dlopen("libpystub.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  library = dlopen(argv[1], RTLD_LAZY | RTLD_GLOBAL);
  if (library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  // Objects whose sizes are not known here get room enough.
  void* framework = calloc(1, 1 << 14);
  symbol<void (*)(void*)>("_ZN5mesos13FrameworkInfoC1Ev")(framework);
  // user = "root", name = "boot".
  const std::string message("\x0a\x04root\x12\x04" "boot", 12);
  symbol<bool (*)(void*, const std::string&)>(
      "_ZN6google8protobuf11MessageLite15ParseFromStringERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE")(
      framework, message);
  static Scheduler scheduler;
  void* driver = calloc(1, 1 << 16);
  const std::string master("local");
  symbol<void (*)(void*, void*, const void*, const std::string&)>(
      "_ZN5mesos20MesosSchedulerDriverC1EPNS_9SchedulerERKNS_13FrameworkInfoERKNSt7__cxx1112basic_stringIcSt11char_"
      "traitsIcESaIcEEE")(driver, &scheduler, framework, master);
  symbol<int (*)(void*)>("_ZN5mesos20MesosSchedulerDriver5startEv")(driver);
  sleep(2);
  // The framework that started the cluster takes no offers any more; the cluster stays.
  symbol<int (*)(void*, bool)>("_ZN5mesos20MesosSchedulerDriver4stopEb")(driver, false);
  for (;;) pause();
}
