/* What a container's process has from its start: credentials, descriptors and keyrings; and other processes. */
#include "probe.h"
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

enum { KEYCTL_GET_KEYRING_ID = 0, KEYCTL_JOIN_SESSION = 1, KEYCTL_READ = 11, SESSION_KEYRING = -3, USER_KEYRING = -4, OTHER_UID = 1000 };

static long status_field(const char *name, unsigned long long *value) {
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  size_t length = strlen(name);
  if (status == NULL) return -1;
  while (fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, name, length) == 0 && line[length] == ':') {
      *value = strtoull(line + length + 1, NULL, 16);
      fclose(status);
      return 0;
    }
  fclose(status);
  return NOTHING;
}

static long beyond(const char *set, unsigned long long allowed) {
  unsigned long long value;
  if (status_field(set, &value) != 0) return NOTHING;
  note("%016llx", value);
  return (value & ~allowed) != 0 ? 0 : held_as(EPERM);
}
/* The default capabilities of Docker: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap */
static const unsigned long long docker_default = 0xa80425fb;
static long more_bounding(void) { return beyond("CapBnd", docker_default); }
static long more_effective(void) { return beyond("CapEff", docker_default); }
static long any_inheritable(void) { return beyond("CapInh", 0); }
static long any_ambient(void) { return beyond("CapAmb", 0); }
static long no_new_privs_off(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : held_as(EPERM); }
static long no_filter(void) { return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0 ? 0 : held_as(EPERM); }
static long raise_capability(void) { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21 /* CAP_SYS_ADMIN */, 0, 0); }
static long extra_groups(void) {
  gid_t groups[64];
  int count = getgroups(64, groups);
  for (int i = 0; i < count; i++)
    if (groups[i] != getgid()) {
      note("%u", groups[i]);
      return 0;
    }
  return held_as(ENOENT);
}

/* Descriptors 0, 1 and 2 belong to the program; any other one has leaked from the engine. */
static long leaked_in(const char *directory, int allow_own) {
  DIR *entries = opendir(directory);
  if (entries == NULL) return -1;
  int found = 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) < 3 || (allow_own && atoi(entry->d_name) == dirfd(entries))) continue;
    char path[512], target[256];
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    ssize_t length = readlink(path, target, sizeof target - 1);
    note("%s -> %.*s", entry->d_name, (int)(length < 0 ? 0 : length), target);
    found = 1;
  }
  closedir(entries);
  return found ? 0 : held_as(EBADF);
}
static long leaked_here(void) { return leaked_in("/proc/self/fd", 1); }
static long leaked_in_first(void) { return getpid() == 1 ? NOTHING : leaked_in("/proc/1/fd", 0); }
static long device_of_the_machine(void) {
  struct stat null, own;
  if (stat("/dev/null", &null) < 0) return NOTHING;
  for (int fd = 0; fd < 3; fd++)
    if (fstat(fd, &own) == 0 && S_ISCHR(own.st_mode) && own.st_rdev == makedev(1, 3) && own.st_dev != null.st_dev) {
      note("descriptor %d is not the container's own /dev/null", fd);
      return 0;
    }
  return held_as(EBADF);
}
static long directory_outside(void) {
  char path[4096];
  return syscall(SYS_getcwd, path, sizeof path) < 0 || path[0] != '/' ? 0 : held_as(ENOENT);
}
static long program_of_the_engine(void) {
  char target[512];
  ssize_t length = readlink("/proc/1/exe", target, sizeof target - 1);
  if (length < 0) return -1;
  target[length] = 0;
  int fd = open("/proc/1/exe", O_WRONLY | O_CLOEXEC);
  note("%s", target);
  /* A program that runs cannot be opened for writing (ETXTBSY), but a script of the image could be. */
  return fd >= 0 ? 0 : -1;
}

static long read_another(pid_t pid) {
  char byte;
  struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
  return syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0);
}
/* A container of one program has that, this process, and perhaps an exec. More would be processes of the host. */
static long processes_outside(void) {
  int count = 0;
  DIR *processes = opendir("/proc");
  if (processes == NULL) return -1;
  for (struct dirent *entry; (entry = readdir(processes)) != NULL;) count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
  closedir(processes);
  note("%d", count);
  return count > 8 ? 0 : held_as(ESRCH);
}
static long trace_first(void) {
  if (ptrace(PTRACE_SEIZE, 1, 0, 0) < 0) return -1;
  ptrace(PTRACE_DETACH, 1, 0, 0);
  return getpid() == 1 ? NOTHING : 0;
}
static long signal_group_zero(void) { return kill(0x7ffffffe, 0); }
static long read_machine(void) { return read_another(0x3ffffe); }
static long take_descriptor(void) {
  int pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
  return pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}

static long session_keyring(void) { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, SESSION_KEYRING, 0); }
static long user_keyring(void) { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, USER_KEYRING, 0); }
static long new_session(void) { return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION, NULL); }
static long add_a_key(void) { return syscall(SYS_add_key, "user", "probe", "x", 1, USER_KEYRING); }
static long request_a_key(void) { return syscall(SYS_request_key, "user", "probe", NULL, 0); }
static long keys_of_others(void) {
  setresuid(OTHER_UID, OTHER_UID, OTHER_UID);
  return user_keyring();
}

/* Runs a copy of this program with the setuid bit as another user, and checks whether it becomes root. */
static long setuid_program(void) {
  char bytes[65536];
  int from = open("/proc/self/exe", O_RDONLY), to = open("/tmp/setuid", O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (from < 0 || to < 0) return NOTHING;
  for (ssize_t count; (count = read(from, bytes, sizeof bytes)) > 0;)
    if (write(to, bytes, (size_t)count) != count) return NOTHING;
  close(to);
  if (chmod("/tmp/setuid", 04755) < 0) return -1;
  int status;
  pid_t child = fork();
  if (child == 0) {
    if (setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0) _exit(2);
    execl("/tmp/setuid", "setuid", "whoami", NULL);
    _exit(2);
  }
  waitpid(child, &status, 0);
  unlink("/tmp/setuid");
  return WIFEXITED(status) && WEXITSTATUS(status) == ROOT_AGAIN ? 0 : held_as(EPERM);
}
static long back_to_root(void) {
  if (setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0) return NOTHING;
  return setresuid(0, 0, 0);
}
static long drop_filter(void) { return prctl(PR_SET_SECCOMP, 0, 0, 0, 0); }
static long drop_no_new_privs(void) { return prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0); }

static long raise_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return 0;
  limit.rlim_max++;
  return setrlimit(RLIMIT_NOFILE, &limit);
}
static long escape_the_killer(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  return fd < 0 ? -1 : write(fd, "-1000", 5);
}
static long raise_priority(void) { return setpriority(PRIO_PROCESS, 0, -20); }
static long realtime(void) {
  struct sched_param parameter = {.sched_priority = 1};
  return syscall(SYS_sched_setscheduler, 0, 1 /* SCHED_FIFO */, &parameter);
}
static long realtime_io(void) { return syscall(SYS_ioprio_set, 1, 0, 1 << 13); }
static long map_ids(void) {
  int fd = open("/proc/self/uid_map", O_WRONLY);
  return fd < 0 ? -1 : write(fd, "0 0 1", 5);
}

static const struct probe probes[] = {
    {"capabilities beyond Docker's in the bounding set", more_bounding},
    {"capabilities beyond Docker's in effect", more_effective},
    {"inheritable capabilities (CVE-2022-24769)", any_inheritable},
    {"ambient capabilities", any_ambient},
    {"no_new_privs is off", no_new_privs_off},
    {"no filter", no_filter},
    {"CAP_SYS_ADMIN made ambient", raise_capability},
    {"groups of the engine", extra_groups},
    {"descriptors of the engine", leaked_here},
    {"descriptors of the engine in PID 1", leaked_in_first},
    {"a device of the machine as standard stream", device_of_the_machine},
    {"a working directory outside (CVE-2024-21626)", directory_outside},
    {"PID 1's program, for writing (CVE-2019-5736)", program_of_the_engine},
    {"processes outside in sight", processes_outside},
    {"ptrace of PID 1", trace_first},
    {"a signal to a process outside", signal_group_zero},
    {"memory of a process outside", read_machine},
    {"pidfd_getfd", take_descriptor},
    {"keyctl on the session's keyring", session_keyring},
    {"keyctl on the user's keyring", user_keyring},
    {"a new session keyring", new_session},
    {"add_key", add_a_key},
    {"request_key", request_a_key},
    {"another user's keys", keys_of_others},
    {"a setuid program gives root", setuid_program},
    {"back to root after setuid", back_to_root},
    {"filter taken away", drop_filter},
    {"no_new_privs taken away", drop_no_new_privs},
    {"a hard limit raised", raise_limit},
    {"oom_score_adj -1000", escape_the_killer},
    {"priority -20", raise_priority},
    {"real-time scheduling", realtime},
    {"real-time disk priority", realtime_io},
    {"uid_map", map_ids},
};

void probe_processes(void) { run_probes(probes, COUNT(probes)); }
