/*
 * The interface of the probes. Each tries one thing that a container must not do, in a process of its own, and prints a
 * line: NAME, a tab, OUTCOME, a tab, DETAIL. The outcome is `open` (it succeeded), `held` (it was refused) or `none` (its
 * target does not exist here). No probe harms the host, even when it succeeds.
 */
#ifndef PROBE_H
#define PROBE_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct probe {
  const char *name;
  long (*run)(void); /* 0 or more: open. -1: held, with errno. NOTHING: none. */
};

enum {
  NOTHING = -1000,
  ROOT_AGAIN = 10 /* exit status of the setuid copy that became root */
};

/* Sets the DETAIL of the running probe, instead of its errno's text. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void run_probes(const struct probe *probes, size_t count);
/* Prints the line of a probe that ran without a process of its own. */
void tell(const char *outcome, const char *detail, const char *name, ...) __attribute__((format(printf, 3, 4)));
/* The same for the result of a system call, with errno as its DETAIL. */
void tell_result(long result, const char *name, ...) __attribute__((format(printf, 2, 3)));
/* Sets errno and returns -1: no call failed, but the attack had no effect. */
long held_as(int error);

void probe_calls(void);
void probe_files(void);
void probe_devices(void);
void probe_sockets(void);
void probe_mounts(void);
void probe_namespaces(void);
void probe_processes(void);
void probe_kernel(void);
void probe_cgroups(void);
void probe_terminal(void);
int attack_exe(void);
int attack_swap(const char *first, const char *second);
#endif
