/* The machine's own limits, one line each, `NAME GB/s cpu_s_per_GB`: memcpy from one large buffer to another (`copy`) and into one of
   1 MiB (`window`), one load of each cache line (`touch`), and with a folder as argument plain writes of 1 MiB to a
   new file there (`write`). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  const size_t n = 512u << 20, window = 1u << 20;
  char *from = malloc(n), *to = malloc(n);
  memset(from, 1, n);
  memset(to, 2, n);
  double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < 4; i++) {
    memcpy(to, from, n);
    from[i] = to[i + 1];
  }
  double gb = 4.0 * (double)n / 1e9;
  printf("copy %.3f %.4f\n", gb / (now(CLOCK_MONOTONIC) - wall), (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / gb);
  /* Into one small buffer, as a reader with a 1 MiB buffer does. */
  wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < 4; i++)
    for (size_t at = 0; at < n; at += window) {
      memcpy(to, from + at, window);
      from[at] = to[i + 1];
    }
  printf("window %.3f %.4f\n", gb / (now(CLOCK_MONOTONIC) - wall), (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / gb);
  volatile unsigned sum = 0;
  wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < 4; i++) {
    unsigned s = 0;
    for (size_t at = 0; at < n; at += 64) s += (unsigned char)from[at];
    sum += s;
  }
  printf("touch %.3f %.4f\n", gb / (now(CLOCK_MONOTONIC) - wall), (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / gb);
  if (argc > 1) {
    char path[4096];
    snprintf(path, sizeof path, "%s/alluxio-bench-%d", argv[1], getpid());
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    unlink(path);
    wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t at = 0; at < n; at += window)
      if (write(file, from + at, window) != (ssize_t)window) return 74;
    gb = (double)n / 1e9;
    printf("write %.3f %.4f\n", gb / (now(CLOCK_MONOTONIC) - wall), (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / gb);
  }
  return sum == 1;
}
