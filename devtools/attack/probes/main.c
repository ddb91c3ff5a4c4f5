/* The static program of all probes. Usage: probe TOPIC… (see topics), or the name of an attacker. */
#include "probe.h"
#include <stdarg.h>
#include <sys/mman.h>

enum { PROBE_SECONDS = 10 };

static char *detail; /* shared with the process that runs the probe */

static const struct {
  const char *name;
  void (*run)(void);
} topics[] = {
    {"calls", probe_calls},         {"files", probe_files},           {"devices", probe_devices}, {"sockets", probe_sockets},
    {"mounts", probe_mounts},       {"namespaces", probe_namespaces}, {"kernel", probe_kernel},   {"processes", probe_processes},
    {"cgroups", probe_cgroups},     {"terminal", probe_terminal},
};

void note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, 512, format, arguments);
  va_end(arguments);
}

long held_as(int error) {
  errno = error;
  return -1;
}

static void line(const char *outcome, const char *why, const char *format, va_list arguments) {
  vprintf(format, arguments);
  printf("\t%s\t%s\n", outcome, why);
}

void tell(const char *outcome, const char *why, const char *name, ...) {
  va_list arguments;
  va_start(arguments, name);
  line(outcome, why, name, arguments);
  va_end(arguments);
}

void tell_result(long result, const char *name, ...) {
  va_list arguments;
  va_start(arguments, name);
  line(result >= 0 ? "open" : "held", result >= 0 ? "" : strerror(errno), name, arguments);
  va_end(arguments);
}

/* The child's exit status is 0 for open, 255 for none, and else an errno. */
static _Noreturn void be_probe(const struct probe *probe) {
  alarm(PROBE_SECONDS);
  long result = probe->run();
  _exit(result >= 0 ? 0 : result == NOTHING ? 255 : errno == 0 ? EPERM : errno);
}

void run_probes(const struct probe *probes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int status;
    detail[0] = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) be_probe(&probes[i]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR);
    const char *why = detail;
    const char *outcome = "held";
    if (WIFSIGNALED(status)) why = strsignal(WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0) outcome = "open";
    else if (WEXITSTATUS(status) == 255) outcome = "none";
    else if (detail[0] == 0) why = strerror(WEXITSTATUS(status));
    tell(outcome, why, "%s", probes[i].name);
  }
}

int main(int count, char **words) {
  detail = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (detail == MAP_FAILED) return 1;
  if (count == 2 && strcmp(words[1], "whoami") == 0) return geteuid() == 0 ? ROOT_AGAIN : 0;
  if (count == 2 && strcmp(words[1], "attack-exe") == 0) return attack_exe();
  if (count == 4 && strcmp(words[1], "attack-swap") == 0) return attack_swap(words[2], words[3]);
  for (int i = 1; i < count; i++) {
    size_t topic = 0;
    while (topic < COUNT(topics) && strcmp(topics[topic].name, words[i]) != 0) topic++;
    if (topic == COUNT(topics)) {
      fprintf(stderr, "probe: no topic %s\n", words[i]);
      return 2;
    }
    topics[topic].run();
  }
  return 0;
}
