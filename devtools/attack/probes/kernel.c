/* Interfaces of the kernel that a container must not use, each called in a way that would succeed. */
#include "probe.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

static char zeros[256];

static long load_bpf(void) {
  /* The smallest BPF program: r0 = 0; exit. */
  static const struct {
    uint8_t code, registers;
    int16_t offset;
    int32_t immediate;
  } program[] = {{0xb7, 0, 0, 0}, {0x95, 0, 0, 0}};
  struct {
    uint32_t type, count;
    uint64_t instructions, license;
    char rest[96];
  } attributes = {1, 2, (uintptr_t)program, (uintptr_t) "GPL", {0}};
  return syscall(SYS_bpf, 5, &attributes, sizeof attributes);
}
static long make_bpf_map(void) {
  uint32_t attributes[32] = {2, 4, 4, 1};
  return syscall(SYS_bpf, 0, attributes, sizeof attributes);
}
static long io_uring(void) {
  char parameters[120] = {0};
  return syscall(SYS_io_uring_setup, 1, parameters);
}
static long io_uring_enter(void) { return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) < 0 && errno != EBADF ? -1 : 0; }
static long io_uring_register(void) { return syscall(SYS_io_uring_register, -1, 0, NULL, 0) < 0 && errno != EBADF && errno != EINVAL ? -1 : 0; }
static long user_faults(void) { return syscall(SYS_userfaultfd, 0); }
static long user_faults_only(void) { return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */); }
static long perf(long pid) {
  struct {
    uint32_t type, size;
    char rest[120];
  } attributes = {1 /* software */, 128, {0}};
  return syscall(SYS_perf_event_open, &attributes, pid, pid < 0 ? 0 : -1, -1, 0);
}
static long perf_self(void) { return perf(0); }
static long perf_machine(void) { return perf(-1); }
static long load_module(void) { return syscall(SYS_init_module, zeros, 1UL, "") < 0 && errno != ENOEXEC ? -1 : 0; }
static long load_module_file(void) { return syscall(SYS_finit_module, 0, "", 0); }
static long unload_module(void) { return syscall(SYS_delete_module, "no_such_module", 0x800) < 0 && errno != ENOENT ? -1 : 0; }
static long kexec(void) { return syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL); }
static long kexec_file(void) { return syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, 0UL) < 0 && errno != EBADF ? -1 : 0; }
/* Disables Ctrl-Alt-Delete, as systemd does on every host. */
static long reboot(void) { return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL); }
static long swap_on(void) { return syscall(SYS_swapon, "/tmp/no-such-swap", 0) < 0 && errno != ENOENT ? -1 : 0; }
static long swap_off(void) { return syscall(SYS_swapoff, "/tmp/no-such-swap") < 0 && errno != ENOENT && errno != EINVAL ? -1 : 0; }
static long set_time(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return syscall(SYS_settimeofday, &now, NULL);
}
static long set_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
}
static long slew_clock(void) {
  struct timex change = {.modes = ADJ_MAXERROR, .maxerror = 16000000};
  return syscall(SYS_adjtimex, &change);
}
static long wake_alarm(void) { return syscall(SYS_timerfd_create, 8 /* CLOCK_REALTIME_ALARM */, 0); }
static long host_name(void) {
  char name[65] = {0};
  if (gethostname(name, sizeof name - 1) < 0) return NOTHING;
  return syscall(SYS_sethostname, name, strlen(name));
}
static long domain_name(void) { return syscall(SYS_setdomainname, "(none)", 6); }
static long kernel_log(void) { return syscall(SYS_syslog, 3, zeros, (int)sizeof zeros); }
static long kernel_log_size(void) { return syscall(SYS_syslog, 10, NULL, 0); }
static long accounting(void) { return syscall(SYS_acct, NULL); }
static long quota(void) { return syscall(SYS_quotactl, 0x80000100 /* Q_SYNC */, NULL, 0, NULL); }
static long hang_up(void) { return syscall(SYS_vhangup); }
static long all_events(void) { return syscall(SYS_fanotify_init, 0x4 /* FAN_CLASS_CONTENT */, 0); }
static long unlimited_events(void) { return syscall(SYS_fanotify_init, 0x10 | 0x200 /* unlimited queue, FID */, 0); }
static long compare(void) { return syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0); }
static long move_memory(void) { return syscall(SYS_move_pages, 0, 0UL, NULL, NULL, NULL, 0); }
static long migrate_memory(void) {
  unsigned long nodes = 1;
  return syscall(SYS_migrate_pages, 0, 2UL, &nodes, &nodes);
}
static long memory_policy(void) { return syscall(SYS_set_mempolicy, 0, NULL, 0UL); }
static long advise_another(void) { return syscall(SYS_process_madvise, -1, NULL, 0UL, 4, 0) < 0 && errno != EBADF && errno != EINVAL ? -1 : 0; }
#ifdef __x86_64__
static long io_privileges(void) { return syscall(SYS_iopl, 3); }
static long io_port(void) { return syscall(SYS_ioperm, 0x80, 1, 1); }
static long old_library(void) { return syscall(SYS_uselib, "/no-such-library") < 0 && errno != ENOENT ? -1 : 0; }
static long old_sysfs(void) { return syscall(SYS_sysfs, 3); }
static long old_stat(void) { return syscall(SYS_ustat, 0, zeros) < 0 && errno != EINVAL ? -1 : 0; }
#endif
static long profile_cookie(void) { return syscall(SYS_lookup_dcookie, 0UL, zeros, sizeof zeros); }
static long address_layout(void) { return prctl(PR_SET_MM, 6 /* PR_SET_MM_START_BRK */, 0x400000, 0, 0); }
static long old_layout(void) { return syscall(SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */); }
static long zero_page(void) { return syscall(SYS_personality, 0x0100000 /* MMAP_PAGE_ZERO */); }

static int scratch_file(void) { return open("/tmp/attributes", O_RDWR | O_CREAT | O_CLOEXEC, 0600); }
static long set_project(void) {
  struct fsxattr attributes;
  int fd = scratch_file();
  if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0) return NOTHING;
  attributes.fsx_projid = 0;
  return ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
}
static long set_project_high(void) {
  struct fsxattr attributes;
  int fd = scratch_file();
  if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0) return NOTHING;
  return syscall(SYS_ioctl, fd, (unsigned long)FS_IOC_FSSETXATTR | 1UL << 32, &attributes);
}
static long set_flags(void) {
  int flags = 0, fd = scratch_file();
  if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) return NOTHING;
  return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}
/* The same by file_setattr(2), since Linux 6.17. */
static long set_project_by_call(void) {
  uint64_t attributes[3] = {0};
  close(scratch_file());
  return syscall(469, AT_FDCWD, "/tmp/attributes", attributes, sizeof attributes, 0);
}
/* FITHAW has no effect on a file system that is not frozen. */
static long thaw(void) {
  int fd = scratch_file();
  return fd < 0 || ioctl(fd, FITHAW, 0) == 0 || errno == EINVAL ? 0 : -1;
}
static long immutable(void) {
  int flags = 0x10 /* FS_IMMUTABLE_FL */, none = 0, fd = scratch_file();
  if (fd < 0 || ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) return -1;
  ioctl(fd, FS_IOC_SETFLAGS, &none);
  return 0;
}
static long trusted_attribute(void) { return syscall(SYS_fsetxattr, scratch_file(), "trusted.overlay.opaque", "y", 1UL, 0); }
static long secure_attribute(void) { return syscall(SYS_fsetxattr, scratch_file(), "security.selinux", "x", 1UL, 0); }
static long handler_of_cores(void) {
  int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY);
  return fd;
}

static const struct probe probes[] = {
    {"bpf: load a program", load_bpf},
    {"bpf: make a map", make_bpf_map},
    {"io_uring_setup", io_uring},
    {"io_uring_enter", io_uring_enter},
    {"io_uring_register", io_uring_register},
    {"userfaultfd", user_faults},
    {"userfaultfd for user mode", user_faults_only},
    {"perf_event_open of itself", perf_self},
    {"perf_event_open of the machine", perf_machine},
    {"init_module", load_module},
    {"finit_module", load_module_file},
    {"delete_module", unload_module},
    {"kexec_load", kexec},
    {"kexec_file_load", kexec_file},
    {"reboot", reboot},
    {"swapon", swap_on},
    {"swapoff", swap_off},
    {"settimeofday", set_time},
    {"clock_settime", set_clock},
    {"adjtimex", slew_clock},
    {"timer that wakes the machine", wake_alarm},
    {"sethostname", host_name},
    {"setdomainname", domain_name},
    {"dmesg", kernel_log},
    {"dmesg's size", kernel_log_size},
    {"acct", accounting},
    {"quotactl", quota},
    {"vhangup", hang_up},
    {"fanotify with permissions", all_events},
    {"fanotify without a limit", unlimited_events},
    {"kcmp", compare},
    {"move_pages", move_memory},
    {"migrate_pages", migrate_memory},
    {"set_mempolicy", memory_policy},
    {"process_madvise", advise_another},
#ifdef __x86_64__
    {"iopl", io_privileges},
    {"ioperm", io_port},
    {"uselib", old_library},
    {"sysfs(2)", old_sysfs},
    {"ustat", old_stat},
#endif
    {"lookup_dcookie", profile_cookie},
    {"prctl(PR_SET_MM)", address_layout},
    {"personality without randomized addresses", old_layout},
    {"personality with a page at 0", zero_page},
    {"FS_IOC_FSSETXATTR", set_project},
    {"FS_IOC_FSSETXATTR with a high bit", set_project_high},
    {"FS_IOC_SETFLAGS", set_flags},
    {"file_setattr", set_project_by_call},
    {"FITHAW", thaw},
    {"an immutable file", immutable},
    {"a trusted attribute", trusted_attribute},
    {"a security attribute", secure_attribute},
    {"core_pattern", handler_of_cores},
};

void probe_kernel(void) { run_probes(probes, COUNT(probes)); }
