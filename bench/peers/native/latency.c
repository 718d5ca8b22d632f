/* `latency LISTEN_PORT TARGET_PORT DELAY_MS`: a loopback TCP proxy that holds back what clients send by DELAY_MS and lets
   the answers through untouched (spliced in the kernel, so that it costs next to nothing per byte). For requests of
   one segment, which is what a GET is, that is a store DELAY_MS away. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int target, delay_ms;

struct pair { int client, server; };

static int address(struct sockaddr_in *a, int port) {
  *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return socket(AF_INET, SOCK_STREAM, 0);
}

static void *answers(void *argument) {
  struct pair *p = argument;
  int pipes[2];
  if (pipe(pipes) == 0) {
    fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
    for (ssize_t n; (n = splice(p->server, NULL, pipes[1], NULL, 1 << 20, SPLICE_F_MOVE)) > 0;)
      while (n > 0) {
        ssize_t m = splice(pipes[0], NULL, p->client, NULL, (size_t)n, SPLICE_F_MOVE | SPLICE_F_MORE * (n > 65536));
        if (m <= 0) goto end;
        n -= m;
      }
  end:
    close(pipes[0]);
    close(pipes[1]);
  }
  shutdown(p->client, SHUT_RDWR);
  shutdown(p->server, SHUT_RDWR);
  return NULL;
}

static void *requests(void *argument) {
  struct pair p = *(struct pair *)argument;
  free(argument);
  pthread_t other;
  pthread_create(&other, NULL, answers, &p);
  static __thread char buffer[1 << 20];
  for (ssize_t n; (n = recv(p.client, buffer, sizeof buffer, 0)) > 0;) {
    usleep((useconds_t)delay_ms * 1000);
    for (ssize_t at = 0, m; at < n; at += m)
      if ((m = send(p.server, buffer + at, (size_t)(n - at), MSG_NOSIGNAL)) <= 0) { n = 0; break; }
    if (n == 0) break;
  }
  shutdown(p.server, SHUT_RDWR);
  shutdown(p.client, SHUT_RDWR);
  pthread_join(other, NULL);
  close(p.client);
  close(p.server);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "latency LISTEN_PORT TARGET_PORT DELAY_MS\n"), 64;
  signal(SIGPIPE, SIG_IGN);
  target = atoi(argv[2]);
  delay_ms = atoi(argv[3]);
  struct sockaddr_in a;
  int on = 1, listener = address(&a, atoi(argv[1]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(listener, 256) < 0) return perror("latency"), 1;
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client < 0) continue;
    struct sockaddr_in to;
    int server = address(&to, target);
    if (connect(server, (struct sockaddr *)&to, sizeof to) < 0) { close(client); close(server); continue; }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct pair *p = malloc(sizeof *p);
    *p = (struct pair){client, server};
    pthread_t t;
    pthread_create(&t, NULL, requests, p);
    pthread_detach(t);
  }
}
