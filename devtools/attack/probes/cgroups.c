/* Control groups: writes, new groups, leaving one's own, and the release agent (CVE-2022-0492). */
#include "probe.h"
#include <dirent.h>
#include <sys/mount.h>

static const char top[] = "/sys/fs/cgroup";
/* Opens a file of this process's own group, in cgroup v1 or v2. */
static const char *const files[] = {
    "release_agent", "notify_on_release", "cgroup.procs", "tasks", "devices.allow", "devices.deny", "memory.limit_in_bytes",
    "memory.max", "memory.swap.max", "cpu.max", "cpu.cfs_quota_us", "pids.max", "cpuset.cpus", "cgroup.subtree_control", "cgroup.freeze",
    "cgroup.kill", "freezer.state", "memory.oom_control", "cgroup.event_control", "cgroup.clone_children",
};

static void try_directory(const char *directory) {
  char path[1024];
  for (size_t i = 0; i < COUNT(files); i++) {
    snprintf(path, sizeof path, "%s/%s", directory, files[i]);
    if (access(path, F_OK) < 0) continue;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    tell_result(fd, "cgroup: write %s", path);
    if (fd >= 0) close(fd);
  }
  snprintf(path, sizeof path, "%s/cgroup.procs", directory);
  if (access(path, F_OK) < 0) return;
  snprintf(path, sizeof path, "%s/probe", directory);
  long made = mkdir(path, 0755);
  tell_result(made, "cgroup: mkdir in %s", directory);
  if (made == 0) rmdir(path);
}

/* Paths other than "/" show that the container has no cgroup namespace (cgroup_namespaces(7)). */
static long paths_of_the_machine(void) {
  char line[1024];
  FILE *groups = fopen("/proc/self/cgroup", "r");
  if (groups == NULL) return -1;
  while (fgets(line, sizeof line, groups) != NULL) {
    line[strcspn(line, "\n")] = 0;
    char *path = strrchr(line, ':');
    /* In a hierarchy that the engine does not use every process is in the root group. */
    if (path == NULL || strcmp(path, ":/") == 0) continue;
    note("%.200s", line);
    return 0;
  }
  return held_as(ENOENT);
}
static long groups_of_others(void) {
  char path[1024];
  DIR *hierarchies = opendir(top);
  if (hierarchies == NULL) return -1;
  for (struct dirent *hierarchy; (hierarchy = readdir(hierarchies)) != NULL;) {
    if (hierarchy->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", top, hierarchy->d_name);
    DIR *groups = opendir(path);
    if (groups == NULL) continue;
    for (struct dirent *group; (group = readdir(groups)) != NULL;)
      if (group->d_name[0] != '.' && group->d_type == DT_DIR) {
        note("%s/%s", path, group->d_name);
        return 0;
      }
    closedir(groups);
  }
  return held_as(ENOENT);
}
static long mount_hierarchy(const char *type, const char *options) {
  mkdir("/tmp/groups", 0755);
  return mount("groups", "/tmp/groups", type, 0, options);
}
static long mount_v1(void) { return mount_hierarchy("cgroup", "memory"); }
static long mount_v2(void) { return mount_hierarchy("cgroup2", NULL); }
/* CVE-2022-0492: root of a new user namespace mounts a hierarchy and sets its release_agent. */
static long release_agent(void) {
  if (unshare(0x10000000 | 0x20000 | 0x02000000) < 0) return -1;
  if (mount_hierarchy("cgroup", "rdma") < 0 && mount_hierarchy("cgroup", "memory") < 0) return -1;
  return open("/tmp/groups/release_agent", O_WRONLY);
}
/* In a new cgroup namespace a mount of the host's hierarchy would have its release_agent. */
static long new_namespace(void) { return unshare(0x02000000); }
static long born_elsewhere(void) {
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } arguments = {.flags = 0x200000000ULL /* CLONE_INTO_CGROUP */, .exit_signal = SIGCHLD};
  int group = open(top, O_RDONLY | O_DIRECTORY);
  if (group < 0) return -1;
  arguments.cgroup = (uint64_t)group;
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  return child;
}

static const struct probe probes[] = {
    {"cgroup: paths of the machine", paths_of_the_machine},
    {"cgroup: groups of others in sight", groups_of_others},
    {"cgroup: mount of a v1 hierarchy", mount_v1},
    {"cgroup: mount of the v2 hierarchy", mount_v2},
    {"cgroup: release_agent by way of a user namespace (CVE-2022-0492)", release_agent},
    {"cgroup: a new namespace", new_namespace},
    {"cgroup: a process born in another group", born_elsewhere},
};

void probe_cgroups(void) {
  char path[512];
  try_directory(top);
  DIR *hierarchies = opendir(top);
  for (struct dirent *entry; hierarchies != NULL && (entry = readdir(hierarchies)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", top, entry->d_name);
    try_directory(path);
  }
  if (hierarchies != NULL) closedir(hierarchies);
  run_probes(probes, COUNT(probes));
}
