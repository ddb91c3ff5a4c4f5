/* Mounts by mount(2) and by the new mount API, and escapes from the root directory. */
#include "probe.h"
#include <linux/mount.h>
#include <sys/mount.h>

enum { BIND = 4096, REMOUNT_READ_WRITE = 32, DETACH = 2 }; /* linux/mount.h */

static long old_mount(const char *type, const char *target, unsigned long flags) {
  mkdir(target, 0755);
  return syscall(SYS_mount, type, target, type, flags, NULL);
}
static long mount_tmpfs(void) { return old_mount("tmpfs", "/tmp/mounted", 0); }
static long mount_proc(void) { return old_mount("proc", "/tmp/mounted", 0); }
static long mount_sysfs(void) { return old_mount("sysfs", "/tmp/mounted", 0); }
static long mount_cgroup(void) { return old_mount("cgroup2", "/tmp/mounted", 0); }
static long mount_bpf(void) { return old_mount("bpf", "/tmp/mounted", 0); }
static long mount_debugfs(void) { return old_mount("debugfs", "/tmp/mounted", 0); }
static long mount_mqueue(void) { return old_mount("mqueue", "/tmp/mounted", 0); }
static long mount_bind(void) { return syscall(SYS_mount, "/proc/sys", "/tmp", NULL, BIND, NULL); }
static long remount_proc_sys(void) { return syscall(SYS_mount, NULL, "/proc/sys", NULL, REMOUNT_READ_WRITE | BIND, NULL); }
static long remount_sys(void) { return syscall(SYS_mount, NULL, "/sys", NULL, REMOUNT_READ_WRITE, NULL); }
static long remount_cgroup(void) { return syscall(SYS_mount, NULL, "/sys/fs/cgroup", NULL, REMOUNT_READ_WRITE | BIND, NULL); }
static long share_root(void) { return syscall(SYS_mount, NULL, "/", NULL, 1UL << 20 /* MS_SHARED */, NULL); }
static long unmount_sysctls(void) { return syscall(SYS_umount2, "/proc/sys", DETACH); }
static long unmount_mask(void) { return syscall(SYS_umount2, "/proc/kcore", DETACH); }
static long unmount_root(void) { return syscall(SYS_umount2, "/", DETACH); }
static long new_context(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long new_context_of_proc(void) { return syscall(SYS_fsopen, "proc", 0); }
static long pick_root(void) { return syscall(SYS_fspick, AT_FDCWD, "/", 0); }
static long open_tree_clone(void) { return syscall(SYS_open_tree, AT_FDCWD, "/proc/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC); }
static long open_tree_plain(void) { return syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLOEXEC); }
static long open_tree_with_attributes(void) {
  struct mount_attr attributes = {0};
  return syscall(467, AT_FDCWD, "/proc/sys", OPEN_TREE_CLONE, &attributes, sizeof attributes);
}
static long set_attributes(void) {
  struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY};
  return syscall(SYS_mount_setattr, AT_FDCWD, "/proc/sys", 0, &attributes, sizeof attributes);
}
static long move_mount(void) { return syscall(SYS_move_mount, AT_FDCWD, "/dev/shm", AT_FDCWD, "/tmp", 0); }
static long pivot_root(void) { return syscall(SYS_pivot_root, ".", "."); }

/* The classic escape from chroot(2): a directory that stays open is outside the next root. */
static long leave_chroot(void) {
  struct stat before, after;
  int root = open("/", O_RDONLY | O_DIRECTORY);
  if (root < 0 || fstat(root, &before) < 0) return NOTHING;
  mkdir("/tmp/jail", 0755);
  if (chroot("/tmp/jail") < 0 || fchdir(root) < 0) return -1;
  for (int i = 0; i < 64; i++)
    if (chdir("..") < 0) return -1;
  if (stat(".", &after) < 0) return -1;
  return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? held_as(EACCES) : 0;
}

/* "Shocker": a file handle names an inode, and inode 2 is the root of most file systems. */
static long open_by_handle(void) {
  struct {
    unsigned bytes;
    int type;
    unsigned char data[8];
  } handle = {8, 1, {2, 0, 0, 0, 0, 0, 0, 0}};
  int mount = open("/etc/hosts", O_RDONLY);
  return mount < 0 ? NOTHING : syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY | O_DIRECTORY);
}
/* Since Linux 6.17 it works through pidfs without a mount, but the kernel still checks the capability. */
static long open_by_connectable_handle(void) {
  struct {
    unsigned bytes;
    int type;
    unsigned char data[128];
  } handle = {128, 0, {0}};
  int mount_id, root = open("/", O_RDONLY | O_DIRECTORY);
  if (syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount_id, 0) < 0) return held_as(errno);
  return syscall(SYS_open_by_handle_at, root, &handle, O_RDONLY);
}

/* A mount of the root of another file system, which the host did not mean to show. */
static long mounts_of_the_machine(void) {
  static const char *const own[] = {"overlay", "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"};
  static const char *const files[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
  char line[4096], point[1024], type[64];
  FILE *mounts = fopen("/proc/self/mountinfo", "r");
  if (mounts == NULL) return -1;
  while (fgets(line, sizeof line, mounts) != NULL) {
    char *tail = strstr(line, " - ");
    if (tail == NULL || sscanf(line, "%*s %*s %*s %*s %1023s", point) != 1 || sscanf(tail, " - %63s", type) != 1) continue;
    int known = 0;
    for (size_t i = 0; i < COUNT(own); i++) known |= strcmp(type, own[i]) == 0;
    for (size_t i = 0; i < COUNT(files); i++) known |= strcmp(point, files[i]) == 0;
    if (known) continue;
    note("%.200s of type %s", point, type);
    return 0;
  }
  return held_as(ENOENT);
}

/* Shared or slave mounts would connect the container's mounts with the host's (mount_namespaces(7)). */
static long shared_mounts(void) {
  char line[4096];
  FILE *mounts = fopen("/proc/self/mountinfo", "r");
  if (mounts == NULL) return -1;
  while (fgets(line, sizeof line, mounts) != NULL)
    if (strstr(line, " shared:") != NULL) return 0;
  return held_as(ENOENT);
}

static const struct probe probes[] = {
    {"mount of tmpfs", mount_tmpfs},
    {"mount of proc", mount_proc},
    {"mount of sysfs", mount_sysfs},
    {"mount of cgroup2", mount_cgroup},
    {"mount of bpf", mount_bpf},
    {"mount of debugfs", mount_debugfs},
    {"mount of mqueue", mount_mqueue},
    {"bind mount", mount_bind},
    {"remount of /proc/sys for writing", remount_proc_sys},
    {"remount of /sys for writing", remount_sys},
    {"remount of /sys/fs/cgroup for writing", remount_cgroup},
    {"mount shared with the machine", share_root},
    {"umount of read-only /proc/sys", unmount_sysctls},
    {"umount of a mask", unmount_mask},
    {"umount of the root", unmount_root},
    {"fsopen of tmpfs (CVE-2022-0185)", new_context},
    {"fsopen of proc", new_context_of_proc},
    {"fspick of the root", pick_root},
    {"open_tree with a clone", open_tree_clone},
    {"open_tree", open_tree_plain},
    {"open_tree_attr", open_tree_with_attributes},
    {"mount_setattr", set_attributes},
    {"move_mount", move_mount},
    {"pivot_root", pivot_root},
    {"out of a chroot, beyond the root", leave_chroot},
    {"open_by_handle_at of the disk's root", open_by_handle},
    {"open_by_handle_at of the own root", open_by_connectable_handle},
    {"mounts of the machine in sight", mounts_of_the_machine},
    {"mounts that are shared", shared_mounts},
};

void probe_mounts(void) { run_probes(probes, COUNT(probes)); }
