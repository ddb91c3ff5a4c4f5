/* Steps of the child that change mounts. Each fails with errno. */
#define _GNU_SOURCE
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/mount.h>
#include <linux/openat2.h>

int open_by(int directory, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/* Opens a path in the container: the root was pivoted, so only links could still mislead. */
int open_inside(const char *path, uint64_t flags) {
  return open_by(AT_FDCWD, path, flags, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* Opens /dev/null and verifies it: an image's own file there must not become a mask (CVE-2025-31133). */
int open_null(uint64_t flags) {
  struct stat stat;
  int fd = open_inside("/dev/null", flags);
  check(fd);
  check(fstat(fd, &stat));
  if (!S_ISCHR(stat.st_mode) || stat.st_rdev != makedev(1, 3)) fail_step(ENXIO);
  return fd;
}

static int clone_mount(int fd, unsigned flags) {
  int tree = (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
  check(tree);
  return tree;
}

void attach(int tree, int target) {
  check(syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static int new_filesystem(const char *type, unsigned attributes) {
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  check(context);
  check(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", type, 0));
  check(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  int tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  check(tree);
  close(context);
  return tree;
}

/*
 * In a user namespace the kernel needs a visible procfs before it creates one: the launcher's placeholder for that is
 * removed.
 */
void mount_proc(struct bytes *step) {
  unsigned attributes = take_u32(step), replaces = take_u32(step);
  const char *path = take_string(step);
  int tree = new_filesystem("proc", attributes);
  if (replaces) check(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  int target = open_inside(path, O_PATH | O_DIRECTORY);
  check(target);
  attach(tree, target);
  close(tree);
  close(target);
}

/*
 * One read-only tmpfs covers every masked directory. The first directory gets the original, because before Linux 6.15
 * only an attached mount can be cloned.
 */
static int empty_directory(void) {
  static int attached = -1;
  if (attached >= 0) return clone_mount(attached, 0);
  int tree = new_filesystem("tmpfs", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  attached = fcntl(tree, F_DUPFD_CLOEXEC, FD_FIRST_FREE);
  check(attached);
  return tree;
}

static int null_device(void) {
  int fd = open_null(O_PATH), tree = clone_mount(fd, 0);
  close(fd);
  return tree;
}

void mask(struct bytes *step) {
  struct stat stat;
  int target = open_inside(take_string(step), O_PATH);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return; /* this kernel has nothing to hide there */
  check(target);
  check(fstat(target, &stat));
  int tree = S_ISDIR(stat.st_mode) ? empty_directory() : null_device();
  attach(tree, target);
  close(tree);
  close(target);
}

void make_readonly(struct bytes *step) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY}; /* nosuid, nodev and noexec stay as they are */
  int target = open_inside(take_string(step), O_PATH);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  check(target);
  int tree = clone_mount(target, AT_RECURSIVE);
  check(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes));
  attach(tree, target);
  close(tree);
  close(target);
}

void write_proc(struct bytes *step) {
  const char *path = take_string(step);
  int fd = open_by(FD_PROC, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  check(fd);
  check(write(fd, step->at, step->left));
  close(fd);
}

/*
 * For a machine whose root cannot be pivoted away from (an initramfs): the container's root is mounted on top of it.
 * The machine's procfs and sysfs are unmounted first, because while one is mounted, even hidden, a user namespace may
 * mount another.
 */
static void cover_root(void) {
  if (umount2("/proc", MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT) fail_step(errno);
  if (umount2("/sys", MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT) fail_step(errno);
  check(mount(".", "/", NULL, MS_MOVE, NULL));
  check(chroot("."));
}

static void pivot_away(void) {
  check(syscall(SYS_pivot_root, ".", "."));
  check(umount2(".", MNT_DETACH));
}

/* Pivots as the launcher does when no hook must see the host's tree beside the container's (agent/kernel/mount.ts). */
void pivot(struct bytes *step) {
  int root = (int)take_u32(step);
  uint32_t covers = take_u32(step);
  struct mount_attr attributes = {.attr_set = take_u64(step)};
  if (attributes.attr_set != 0) check(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
  check(fchdir(root));
  if (covers) cover_root();
  else pivot_away();
  check(chdir("/"));
  struct mount_attr change = {.propagation = take_u64(step)};
  int flags = take_u64(step) ? AT_RECURSIVE : 0;
  if (change.propagation != 0) check(syscall(SYS_mount_setattr, AT_FDCWD, "/", flags, &change, sizeof change));
}

/*
 * For the mount namespace of the machine or of another container: the root becomes a detached tree, so that no path
 * leads up from it and nobody else sees its mounts.
 */
void enter_root(int root) {
  check(fchdir(root));
  check(chroot("."));
  check(chdir("/"));
}

/* The mount namespace to which the process returns when its root was prepared in another. */
static int own_mounts = -1;

void borrow_mounts(int namespace) {
  /* The file of a namespace is a magic link, which may be followed because this procfs is the machine's. */
  own_mounts = open_by(FD_PROC, "self/ns/mnt", O_RDONLY, 0);
  check(own_mounts);
  check(setns(namespace, CLONE_NEWNS));
}

/* Takes a copy of the root with all mounts below it along: before Linux 6.15 nothing can be mounted in a detached one. */
void carry_root(void) {
  int root = (int)syscall(SYS_open_tree, AT_FDCWD, "/", AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  check(root);
  check(setns(own_mounts, CLONE_NEWNS));
  enter_root(root);
  close(root);
  close(own_mounts);
}

/*
 * Replaces a mount by a copy with all mounts below it. The kernel lists mounts in the order of their creation, and
 * the specification wants these to come after /proc.
 */
void renew(const char *path) {
  int target = open_inside(path, O_PATH);
  if (target < 0 && errno == ELOOP) return; /* the image's links lead there: it stays where it was mounted */
  check(target);
  int tree = clone_mount(target, AT_RECURSIVE);
  struct stat stat;
  check(fstat(target, &stat));
  if (S_ISDIR(stat.st_mode)) {
    check(fchdir(target));
    check(umount2(".", MNT_DETACH));
    check(chdir("/"));
  } else {
    check(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  }
  close(target);
  target = open_inside(path, O_PATH);
  check(target);
  attach(tree, target);
  close(tree);
  close(target);
}

/* This step is the last, because an unbindable mount cannot be copied any more. */
void make_unbindable(struct bytes *step) {
  struct mount_attr change = {.propagation = MS_UNBINDABLE};
  int flags = AT_EMPTY_PATH | (take_u32(step) ? AT_RECURSIVE : 0);
  int target = open_by(AT_FDCWD, take_string(step), O_PATH, RESOLVE_NO_MAGICLINKS);
  check(target);
  check(syscall(SYS_mount_setattr, target, "", flags, &change, sizeof change));
  close(target);
}
