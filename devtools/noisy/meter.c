/*
 * meter SECONDS ADDRESS PORT SOCKET: sends requests for SECONDS, or until SIGTERM, to a neighbour (HTTP to ADDRESS and
 * PORT, a new connection for each request) and to an engine (HTTP to its SOCKET, one connection for all), and prints a
 * line for each with its milliseconds: `neighbour 1.234`, `api 0.567`, or `failed` when there was no answer. Each target
 * has its own thread of real-time priority, so that the meter itself is not delayed by the noise.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MOST_REQUESTS = 100000, MOST_BYTES = 1 << 20, WARM_UPS = 20 };

struct target {
  const char *name;
  const char *request;
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
  } address;
  socklen_t address_bytes;
  int pause_ms;
  int keeps_connection;
  int connection; /* -1: none */
  int count;
  double *ms; /* below 0: no answer */
  char *answer;
};

static double neighbour_ms[MOST_REQUESTS], api_ms[MOST_REQUESTS];
static char neighbour_answer[MOST_BYTES], api_answer[MOST_BYTES];
static const struct timeval timeout = {.tv_sec = 2};
static struct target neighbour = {
    .name = "neighbour",
    .request = "GET /index.html HTTP/1.1\r\nHost: neighbour\r\nConnection: close\r\n\r\n",
    .pause_ms = 10,
    .connection = -1,
    .ms = neighbour_ms,
    .answer = neighbour_answer,
};
static struct target api = {
    .name = "api",
    .request = "GET /v1.41/containers/json HTTP/1.1\r\nHost: engine\r\n\r\n",
    .pause_ms = 20,
    .keeps_connection = 1,
    .connection = -1,
    .ms = api_ms,
    .answer = api_answer,
};
static volatile sig_atomic_t is_stopped;
static double end_ms;

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void stop(int signal) {
  (void)signal;
  is_stopped = 1;
}

static int open_connection(const struct target *target) {
  int fd = socket(target->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (connect(fd, &target->address.any, target->address_bytes) == 0) return fd;
  close(fd);
  return -1;
}

/* Whether the body has its Content-Length. Without that header the answer ends with the connection. */
static int is_whole(const char *answer, size_t bytes) {
  static const char *const lengths[] = {"\r\nContent-Length: ", "\r\ncontent-length: "};
  const char *body = memmem(answer, bytes, "\r\n\r\n", 4);
  if (body == NULL) return 0;
  body += 4;
  size_t head = body - answer;
  for (int at = 0; at < 2; at++) {
    const char *length = memmem(answer, head, lengths[at], strlen(lengths[at]));
    if (length != NULL) return bytes - head >= strtoul(length + strlen(lengths[at]), NULL, 10);
  }
  return memmem(answer, head, "chunked", 7) != NULL && memcmp(answer + bytes - 5, "0\r\n\r\n", 5) == 0;
}

static int reads_answer(struct target *target) {
  size_t bytes = 0;
  for (;;) {
    ssize_t more = read(target->connection, target->answer + bytes, MOST_BYTES - bytes);
    if (more < 0 || (more == 0 && target->keeps_connection)) return 0;
    bytes += more;
    if (more > 0 && (!target->keeps_connection || !is_whole(target->answer, bytes))) continue;
    return bytes > 12 && memcmp(target->answer + 8, " 200", 4) == 0;
  }
}

static int is_answered(struct target *target) {
  ssize_t bytes = strlen(target->request);
  if (target->connection < 0) target->connection = open_connection(target);
  if (target->connection < 0) return 0;
  int answered = write(target->connection, target->request, bytes) == bytes && reads_answer(target);
  if (!answered || !target->keeps_connection) {
    close(target->connection);
    target->connection = -1;
  }
  return answered;
}

static void *ask(void *argument) {
  struct target *target = argument;
  const struct sched_param least = {.sched_priority = 1};
  const struct timespec pause = {.tv_nsec = target->pause_ms * 1000000L};
  if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &least) < 0) perror("meter: sched_setscheduler");
  for (int count = 0; count < WARM_UPS; count++) is_answered(target);
  while (!is_stopped && now_ms() < end_ms && target->count < MOST_REQUESTS) {
    double begin_ms = now_ms();
    int answered = is_answered(target);
    target->ms[target->count++] = answered ? now_ms() - begin_ms : -1;
    nanosleep(&pause, NULL);
  }
  return NULL;
}

static void print(const struct target *target) {
  for (int at = 0; at < target->count; at++)
    if (target->ms[at] < 0)
      printf("%s failed\n", target->name);
    else
      printf("%s %.3f\n", target->name, target->ms[at]);
}

int main(int count, char **arguments) {
  pthread_t threads[2];
  neighbour.address.in.sin_family = AF_INET;
  neighbour.address_bytes = sizeof neighbour.address.in;
  api.address.un.sun_family = AF_UNIX;
  api.address_bytes = sizeof api.address.un;
  if (count != 5 || inet_pton(AF_INET, arguments[2], &neighbour.address.in.sin_addr) != 1 ||
      strlen(arguments[4]) >= sizeof api.address.un.sun_path) {
    fprintf(stderr, "usage: meter SECONDS ADDRESS PORT SOCKET\n");
    return 2;
  }
  neighbour.address.in.sin_port = htons(atoi(arguments[3]));
  strcpy(api.address.un.sun_path, arguments[4]);
  signal(SIGTERM, stop);
  signal(SIGPIPE, SIG_IGN);
  mlockall(MCL_CURRENT | MCL_FUTURE);
  end_ms = now_ms() + atof(arguments[1]) * 1e3;
  if (pthread_create(&threads[0], NULL, ask, &neighbour) != 0 || pthread_create(&threads[1], NULL, ask, &api) != 0) return 1;
  for (int at = 0; at < 2; at++) pthread_join(threads[at], NULL);
  print(&neighbour);
  print(&api);
  return 0;
}
