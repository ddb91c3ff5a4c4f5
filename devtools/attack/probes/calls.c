/*
 * Makes every system call by its number, through each entry into the kernel, with arguments that have no effect: -1 is no
 * descriptor, no address and no size. The error tells whether the call got past the seccomp filter. Prints "ENTRY NUMBER",
 * then `reached`, `refused` (EPERM), `missing` (ENOSYS) or `killed`.
 */
#include "probe.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

enum { LAST_CALL = 470, X32_BIT = 0x40000000, X32_FIRST_OWN = 512, X32_LAST_OWN = 547, TIMEOUT_MS = 300, MOST_ROUNDS = 100 };

/* Calls to which the kernel itself answers ENOSYS or EPERM for -1, which would look like the filter's answer. */
static const struct {
  int number;
  long arguments[3];
} harmless[] = {
    {SYS_futex, {0, 1 /* FUTEX_WAKE */, 0}},
#ifdef __x86_64__
    {SYS_modify_ldt, {0 /* read */, -1, 0}},
#endif
    {SYS_ioctl, {-1, 0x5401 /* TCGETS */, -1}},
    {SYS_setpriority, {-1, -1, 20}},
    {SYS_socket, {2, -1, 0}},
    {SYS_clone, {17 /* SIGCHLD */, 0, 0}},
    {SYS_personality, {0xffffffff, 0, 0}},
    {SYS_seccomp, {-1, 0, 0}},
    {SYS_kcmp, {-1, -1, -1}},
    {SYS_prlimit64, {0, -1, 0}},
    {SYS_vhangup, {0, 0, 0}},
    {SYS_mlockall, {0, 0, 0}},
};

/* sync(2) has no arguments, and on a busy host it takes long, so it is left out. */
static int is_sync(const char *way, long number) { return number == (strcmp(way, "int80") == 0 ? 36 : SYS_sync); }

struct answer {
  volatile int back;
  volatile long value;
};

static struct answer *answer;

/* Inlined, because after vfork(2) two processes return on the same stack. */
static inline __attribute__((always_inline)) _Noreturn void report(long value) {
  answer->value = value;
  answer->back = 1;
#ifdef __x86_64__
  long ignored;
  __asm__ volatile("syscall" : "=a"(ignored) : "a"(SYS_exit_group), "D"(0) : "rcx", "r11", "memory");
#endif
  _exit(0);
}

static _Noreturn void call_native(long number) {
  long a = -1, b = -1, c = -1;
  for (size_t i = 0; i < COUNT(harmless); i++)
    if (harmless[i].number == (number & ~(long)X32_BIT)) {
      a = harmless[i].arguments[0];
      b = harmless[i].arguments[1];
      c = harmless[i].arguments[2];
    }
#ifdef __x86_64__
  long value;
  register long r10 __asm__("r10") = -1;
  register long r8 __asm__("r8") = -1;
  register long r9 __asm__("r9") = -1;
  __asm__ volatile("syscall"
                   : "=a"(value)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  report(value);
#else
  long value = syscall(number, a, b, c, -1L, -1L, -1L);
  report(value < 0 ? -errno : value);
#endif
}

#ifdef __x86_64__
/* The 32-bit entry, which 64-bit programs can use too (CONFIG_IA32_EMULATION). */
static _Noreturn void call_int80(long number) {
  long value;
  __asm__ volatile("int $0x80" : "=a"(value) : "a"(number), "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L) : "r8", "r9", "r10", "r11", "memory");
  report((int)value);
}
#endif

/* Whether the child waits in its call (state S or D, proc_pid_stat(5)). A runnable child may not have made it yet. */
static int sleeps(pid_t child) {
  char path[32], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  FILE *stat = fopen(path, "re");
  if (stat == NULL) return 1;
  int found = fscanf(stat, "%*d (%*[^)]) %c", &state);
  fclose(stat);
  return found != 1 || state == 'S' || state == 'T';
}

static void wait_or_kill(pid_t child, int *status) {
  int rounds = 0;
  sigset_t set;
  struct timespec timeout = {TIMEOUT_MS / 1000, TIMEOUT_MS % 1000 * 1000000L};
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  while (waitpid(child, status, WNOHANG) == 0)
    if (sigtimedwait(&set, NULL, &timeout) < 0 && errno == EAGAIN && (sleeps(child) || ++rounds > MOST_ROUNDS))
      kill(child, SIGKILL);
}

static void probe_call(const char *way, long number, void (*call)(long)) {
  int status = 0;
  if (is_sync(way, number & ~(long)X32_BIT)) return;
  answer->back = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGSYS, SIG_DFL);
    /* Some calls check no_new_privs first. With it set their answers are the same everywhere. */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int null = open("/dev/null", O_RDWR); /* calls on 0, 1 and 2 must not touch our own output */
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    call(number);
  }
  wait_or_kill(child, &status);
  const char *outcome = "reached";
  char why[64] = "ended the process or waited";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
    outcome = "killed";
    why[0] = 0;
  } else if (answer->back) {
    long value = answer->value;
    if (value == -EPERM) outcome = "refused";
    else if (value == -ENOSYS) outcome = "missing";
    snprintf(why, sizeof why, "%s", value < 0 && value > -4096 ? strerror((int)-value) : "done");
  } else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    snprintf(why, sizeof why, "%s", strsignal(WTERMSIG(status)));
  }
  tell(outcome, why, "%s %ld", way, number & ~(long)X32_BIT);
  while (waitpid(-1, NULL, WNOHANG) > 0); /* what fork and clone left to PID 1 */
}

void probe_calls(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (answer == MAP_FAILED) return;
  for (long number = 0; number <= LAST_CALL; number++) probe_call("native", number, call_native);
#ifdef __x86_64__
  for (long number = 0; number <= LAST_CALL; number++) probe_call("x32", number | X32_BIT, call_native);
  for (long number = X32_FIRST_OWN; number <= X32_LAST_OWN; number++) probe_call("x32", number | X32_BIT, call_native);
  for (long number = 0; number <= LAST_CALL; number++) probe_call("int80", number, call_int80);
#endif
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}
