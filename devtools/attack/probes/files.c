/* procfs and sysfs: files that can be opened for writing, that tell about the host, or that change it. */
#include "probe.h"
#include <dirent.h>
#include <sys/statfs.h>

enum { DEPTH = 14, READ_SOME = 64 };

/* Files that tell about the host or about other containers. */
static const char *const secrets[] = {
    "/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/timer_stats", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/interrupts", "/proc/softirqs", "/proc/iomem", "/proc/ioports", "/proc/vmallocinfo", "/proc/slabinfo",
    "/proc/pagetypeinfo", "/proc/kpageflags", "/proc/kpagecount", "/proc/kpagecgroup", "/proc/kallsyms", "/proc/modules",
    "/proc/config.gz", "/proc/swaps", "/proc/diskstats", "/proc/partitions", "/proc/cmdline", "/proc/mdstat", "/proc/zoneinfo",
    "/proc/sysvipc/shm", "/proc/scsi/scsi", "/proc/bus/pci/devices", "/proc/1/environ", "/proc/1/auxv", "/sys/kernel/vmcoreinfo",
    "/sys/kernel/notes", "/sys/kernel/uevent_helper", "/sys/kernel/debug/sched/debug", "/sys/kernel/tracing/trace",
    "/sys/kernel/security/lsm", "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
    "/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/product_serial",
};

static const char *const secret_directories[] = {
    "/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap", "/sys/fs/bpf", "/sys/fs/pstore",
    "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/fuse/connections", "/sys/kernel/config",
    "/sys/firmware/efi/efivars", "/sys/devices/system/cpu/cpu0/thermal_throttle", "/lost+found", "/boot", "/.dockerenv",
};

/* Files that change the host. The sweep opens them too; here each has a row of its own. */
static const char *const controls[] = {
    "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/sysrq", "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/vm/panic_on_oom",
    "/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/file-max", "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/profiling", "/sys/power/state",
    "/sys/class/net/lo/flags", "/sys/block/vda/queue/scheduler", "/sys/devices/system/cpu/cpu1/online", "/sys/bus/pci/rescan",
    "/sys/module/kernel/parameters/panic", "/sys/fs/cgroup/release_agent", "/proc/irq/default_smp_affinity", "/proc/mtrr", "/proc/bus/pci/00/00.0",
    "/proc/timer_list", "/proc/kcore", "/proc/keys", "/proc/fs/ext4", "/proc/scsi/scsi",
};

static int is_number(const char *text) { return text[0] >= '0' && text[0] <= '9'; }

/* A masked file is /dev/null, to which anybody may write. */
static int is_null(int fd) {
  struct stat stat;
  return fstat(fd, &stat) == 0 && S_ISCHR(stat.st_mode);
}

static int open_for_writing(const char *path) {
  int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return 0;
  int null = is_null(fd);
  close(fd);
  return !null;
}

static unsigned found;

static void sweep(const char *directory, int depth, int top) {
  char path[1024];
  struct stat stat;
  DIR *entries = opendir(directory);
  if (entries == NULL) return;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (entry->d_name[0] == '.' || (top && is_number(entry->d_name))) continue;
    if (top && (strcmp(entry->d_name, "self") == 0 || strcmp(entry->d_name, "thread-self") == 0)) continue;
    if (snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= (int)sizeof path) continue;
    if (lstat(path, &stat) < 0) continue;
    if (S_ISDIR(stat.st_mode) && depth > 0) sweep(path, depth - 1, 0);
    /* Root can open a file without a write bit too, but the kernel has no write handler for it. */
    if (!S_ISREG(stat.st_mode) || !(stat.st_mode & 0222) || !open_for_writing(path)) continue;
    found++;
    tell("open", "", "writable %s", path);
  }
  closedir(entries);
}

static void sweep_named(const char *name, const char *directory, int top) {
  found = 0;
  sweep(directory, DEPTH, top);
  char count[32];
  snprintf(count, sizeof count, "%u open", found);
  tell(found == 0 ? "held" : "open", count, "%s", name);
}

static void read_secret(const char *path) {
  char some[READ_SOME];
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    tell(errno == ENOENT ? "none" : "held", strerror(errno), "read %s", path);
    return;
  }
  ssize_t count = read(fd, some, sizeof some);
  tell(count > 0 ? "open" : "held", count < 0 ? strerror(errno) : count == 0 ? "empty" : "", "read %s", path);
  close(fd);
}

static void list_secret(const char *path) {
  DIR *entries = opendir(path);
  if (entries == NULL) {
    tell(errno == ENOENT ? "none" : "held", strerror(errno), "list %s", path);
    return;
  }
  int count = 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) count += entry->d_name[0] != '.';
  closedir(entries);
  tell(count > 0 ? "open" : "held", count > 0 ? "" : "empty", "list %s", path);
}

/* Addresses of kernel symbols, which read as zeros without permission (kptr_restrict). */
static long kernel_addresses(void) {
  char line[256];
  FILE *symbols = fopen("/proc/kallsyms", "r");
  if (symbols == NULL) return -1;
  int seen = 0;
  while (!seen && fgets(line, sizeof line, symbols) != NULL) seen = strncmp(line, "0000000000000000", 16) != 0;
  fclose(symbols);
  return seen ? 0 : held_as(EACCES);
}

/* The modes of files in procfs belong to the host. These calls set the mode that the file already has. */
static long change_mode(void) { return chmod("/proc/uptime", 0444); }
static long change_mode_of_sysctl(void) { return chmod("/proc/sys/kernel/core_pattern", 0644); }
static long change_mode_of_sysfs(void) { return chmod("/sys/kernel/uevent_seqnum", 0444); }

static const struct probe probes[] = {
    {"addresses in /proc/kallsyms", kernel_addresses},
    {"chmod of a file of procfs", change_mode},
    {"chmod of a sysctl", change_mode_of_sysctl},
    {"chmod of a file of sysfs", change_mode_of_sysfs},
};

void probe_files(void) {
  for (size_t i = 0; i < COUNT(secrets); i++) read_secret(secrets[i]);
  for (size_t i = 0; i < COUNT(secret_directories); i++) list_secret(secret_directories[i]);
  for (size_t i = 0; i < COUNT(controls); i++)
    tell(open_for_writing(controls[i]) ? "open" : "held", strerror(errno), "write %s", controls[i]);
  sweep_named("sweep of /proc/sys for writing", "/proc/sys", 0);
  sweep_named("sweep of /proc for writing", "/proc", 1);
  sweep_named("sweep of /sys for writing", "/sys", 0);
  run_probes(probes, COUNT(probes));
}
