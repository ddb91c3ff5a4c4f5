/* The program of a noisy container: /noise NAME. It goes on until it is killed, also when a call is refused. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)

static char block[MIB];

static void rest(void) { usleep(10000); }

static void forks(void) {
  for (;;) fork();
}

static void memory(void) {
  for (;;) {
    char *more = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more == MAP_FAILED)
      rest();
    else
      memset(more, 1, 16 * MIB);
  }
}

/* Fills the disk as fast as it can, then keeps trying to write more. */
static void disk(void) {
  int file = open("/fill", O_CREAT | O_WRONLY, 0600);
  off_t taken = 0;
  for (off_t chunk = 256 * (off_t)MIB; chunk >= MIB;)
    if (fallocate(file, 0, taken, chunk) == 0)
      taken += chunk;
    else
      chunk /= 2;
  lseek(file, taken, SEEK_SET);
  for (;;)
    if (write(file, block, sizeof block) <= 0) rest();
}

static void inodes(void) {
  char path[64];
  mkdir("/many", 0700);
  for (unsigned long n = 0;; n++) {
    snprintf(path, sizeof path, "/many/%d-%lu", getpid(), n);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    if (file < 0)
      rest();
    else
      close(file);
  }
}

/* Writes the same 64 MiB again and again, and flushes every write to the disk. */
static void io(void) {
  char path[64];
  snprintf(path, sizeof path, "/io-%d", getpid());
  int file = open(path, O_CREAT | O_RDWR, 0600);
  for (unsigned long n = 0;; n++) {
    if (pwrite(file, block, sizeof block, (off_t)(n % 64) * MIB) < 0) rest();
    if (n % 4 == 0) fdatasync(file);
  }
}

static void cpu(void) {
  for (volatile unsigned long n = 0;; n++) continue;
}

static void logs(void) {
  memset(block, 'x', sizeof block);
  for (int at = 199; at < MIB; at += 200) block[at] = '\n';
  for (;;)
    if (write(1, block, sizeof block) <= 0) rest();
}

/* Opens connections as fast as it can to a port of the neighbour on which nobody listens. */
static void connections(const char *address) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(81)};
  inet_pton(AF_INET, address, &to.sin_addr);
  for (;;) {
    int socket_ = socket(AF_INET, SOCK_STREAM, 0);
    if (socket_ < 0) {
      rest();
      continue;
    }
    connect(socket_, (struct sockaddr *)&to, sizeof to);
    close(socket_);
  }
}

/* Counts the files opened by all workers, also by those that the OOM killer has ended while their children live on. */
static long *taken;

/*
 * Opens as many files as one process may, then forks a process that does the same, up to two fifths of the host's
 * limit (fs.file-max): beyond it other programs of the host would be refused.
 */
static void files(void) {
  long most = 0;
  FILE *limit = fopen("/proc/sys/fs/file-max", "r");
  if (limit == NULL || fscanf(limit, "%ld", &most) != 1) exit(1);
  fclose(limit);
  while (__atomic_load_n(taken, __ATOMIC_RELAXED) < most / 5 * 2) {
    int file = open("/dev/null", O_RDONLY); /* of an overlay the kernel would open two */
    if (file >= 0) {
      __atomic_add_fetch(taken, 1, __ATOMIC_RELAXED);
      continue;
    }
    if (errno != EMFILE || fork() != 0) break;
    for (int inherited = 3; close(inherited) == 0; inherited++) continue;
  }
  for (;;) pause();
}

/* Restarts each of `count` workers when the OOM killer has ended it. */
static void keep(int count, void (*work)(void)) {
  for (int running = 0;; running--) {
    for (; running < count; running++) {
      pid_t pid = fork();
      if (pid == 0) work();
      if (pid < 0) rest();
    }
    wait(NULL);
  }
}

static const char *neighbour = "127.0.0.1";
static void flood(void) { connections(neighbour); }

static const struct {
  const char *name;
  int workers;
  void (*work)(void);
} noises[] = {
    {"forks", 1, forks}, {"memory", 1, memory}, {"disk", 1, disk},        {"inodes", 2, inodes}, {"io", 4, io},
    {"cpu", 8, cpu},     {"logs", 2, logs},     {"connections", 4, flood}, {"files", 1, files},
};

int main(int count, char **arguments) {
  if (count > 2) neighbour = arguments[2];
  taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (size_t at = 0; count > 1 && at < sizeof noises / sizeof *noises; at++)
    if (strcmp(noises[at].name, arguments[1]) == 0) keep(noises[at].workers, noises[at].work);
  fprintf(stderr, "usage: noise NAME [NEIGHBOUR]\n");
  return 2;
}
