/* Declarations that the shim's parts share; shim.c describes the shim. */
#ifndef CORTEN_SHIM_H
#define CORTEN_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors that agent/runtime/plan.ts passes; `/dev/null` when the plan does not use one. */
enum {
  FD_PLAN = 3,
  FD_ALIVE = 4,   /* write end of the FIFO whose EOF is our death */
  FD_RUN = 5,     /* run directory */
  FD_LOG_DIR = 6, /* log directory */
  FD_INPUT = 7,   /* write end of stdin, or the terminal's master; the agent takes it by pidfd_getfd */
  FD_OUT = 8,     /* read end of stdout; with a terminal its slave, held so that the master never hangs up */
  FD_ERR = 9,
  FD_PROC = 10, /* a procfs that is mounted nowhere, so that nothing can be mounted over it */
  /* Descriptors of the shim itself. */
  FD_PIDFD = 11, /* the child; the agent takes it too */
  FD_SIGNALS = 12,
  FD_LOG = 13,
  FD_PEER = 14,      /* socket between shim and child, closed by execve */
  FD_FIRST_FREE = 15 /* the plan's other descriptors */
};

/* Tags of the plan; the same numbers are in agent/runtime/plan.ts. */
enum {
  STEP_START = 1, STEP_WRITE, STEP_PROC_WRITE, STEP_SETNS, STEP_UNSHARE, STEP_SESSION, STEP_STDIO,
  STEP_MOUNT_PROC, STEP_ATTACH, STEP_MASK, STEP_READONLY, STEP_CLOSE, STEP_CHDIR, STEP_RLIMIT,
  STEP_KEYRING, STEP_UMASK, STEP_GROUPS, STEP_BOUNDING, STEP_IDS, STEP_CAPABILITIES, STEP_AMBIENT,
  STEP_NO_NEW_PRIVILEGES, STEP_SECCOMP, STEP_OWN_STDIO, STEP_EXEC, STEP_USER
};

/* Only in plans of the OCI command (agent/oci). */
enum {
  STEP_WAIT = 64, STEP_PIVOT, STEP_SCHEDULER, STEP_IO_PRIORITY, STEP_RENEW, STEP_UNBINDABLE, STEP_ENTER_ROOT,
  STEP_TIME, STEP_PERSONALITY, STEP_AFFINITY, STEP_BORROW_MOUNTS, STEP_CARRY_ROOT
};

/* Last step of a plan whose rest comes later (agent/runtime/prestarted-process.ts). */
enum { STEP_REST = 96 };

enum { PLAN_VERSION = 1, IO_INPUT = 1, IO_OUT = 2, IO_ERR = 4, IO_TERMINAL = 8, IO_LOG = 16, IO_LEAVE = 32, IO_MOVES = 64 };

/* Reports on the alive FIFO and, by the child, on FD_PEER. */
enum { REPORT_STARTED = 1, REPORT_FAILED = 2, REPORT_WAITING = 3, REPORT_MOVED = 4, REPORT_ENDED = 5 };
struct report {
  /*
   * STARTED and MOVED: PID, 0. WAITING: PID, the child's word. FAILED: index of the step, errno. ENDED: time in
   * nanoseconds since 1970, lower half first; above the kind are the exit code and the signal, one byte each.
   */
  uint32_t kind, value, error;
};

struct bytes {
  const unsigned char *at;
  size_t left;
};

struct start {
  uint32_t version, clone_flags;
  int32_t cgroup_fd, pid_namespace_fd;
  uint32_t io, log_number;
  uint64_t log_max_bytes;
  uint32_t log_max_files;
  uint32_t gate; /* where the shim waits before it makes its child; 0: nowhere */
};

extern struct start start;
extern uint32_t step_index; /* of the plan, for reports of failures */
extern int peer;            /* where the child reports */

/* plan.c: reads the plan in the child; an error in it ends the child with a report. */
void write_all(int fd, const void *data, size_t length);
_Noreturn void fail(int fd, int error);
_Noreturn void fail_step(int error);
uint32_t take_u32(struct bytes *bytes);
uint64_t take_u64(struct bytes *bytes);
const char *take_string(struct bytes *bytes);
char **take_strings(struct bytes *bytes);
uint32_t take_step(struct bytes *plan, struct bytes *step);
void check(long result);

/* mounts.c: steps that change mounts, and functions that open files. */
int open_by(int directory, const char *path, uint64_t flags, uint64_t resolve);
int open_inside(const char *path, uint64_t flags);
int open_null(uint64_t flags);
void attach(int tree, int target);
void mount_proc(struct bytes *step);
void mask(struct bytes *step);
void make_readonly(struct bytes *step);
void write_proc(struct bytes *step);
void pivot(struct bytes *step);
void enter_root(int root);
void borrow_mounts(int namespace);
void carry_root(void);
void renew(const char *path);
void make_unbindable(struct bytes *step);

/* process.c: steps that set up the process. */
void set_stdio(struct bytes *step);
void own_stdio(struct bytes *step);
void change_directory(struct bytes *step);
void drop_bounding(uint64_t keep);
void set_ids(struct bytes *step);
void set_capabilities(struct bytes *step);
void raise_ambient(uint64_t wanted);
void load_seccomp(struct bytes *step);
void set_groups(struct bytes *step);
void set_rlimit(struct bytes *step);
void set_scheduler(struct bytes *step);
void set_affinity(struct bytes *step);
void join_keyring(void);

/* gate.c: gates at which the child waits. */
void await_shim(void);
void pass_gate(int gate);
void wait_at(int gate, uint32_t word);

/* child.c: the child from clone to execve. Its callees never call back into it. */
_Noreturn void run_plan(struct bytes plan);

/* receive.c: plans that arrive through a socket. */
void receive_plan(char *name);
void receive_rest(struct bytes *step, struct bytes *plan);

/* log.c: the log of the output. */
void begin_log(uint32_t number);
void prune_log(void);
void append_record(int stream, const char *data, size_t length);

#endif
