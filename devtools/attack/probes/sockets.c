/* Socket families and types, netlink, and sockets that lead out of the container's network. */
#include "probe.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { FAMILIES = 48, NETLINK_PROTOCOLS = 23, ALG = 38, VSOCK = 40 };

static const char *const types[] = {NULL, "stream", "dgram", "raw", "rdm", "seqpacket"};

static void try_families(void) {
  for (int family = 0; family < FAMILIES; family++)
    for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
      int protocol = family == AF_INET || family == AF_INET6 ? (type == SOCK_RAW ? 255 : 0) : 0;
      int fd = socket(family, type | SOCK_CLOEXEC, protocol);
      if (fd < 0 && (errno == EAFNOSUPPORT || errno == ESOCKTNOSUPPORT || errno == EPROTONOSUPPORT || errno == EPROTOTYPE || errno == EINVAL))
        continue; /* the filter let it pass and the kernel has no such thing: that is the next line's question */
      tell_result(fd, "socket family %d %s", family, types[type]);
      if (fd >= 0) close(fd);
    }
}

/* EPERM and EACCES are the filter's answer. Any other error is the kernel's, which may lack the family. */
static long reaches(long family) {
  long fd = syscall(SYS_socket, family, SOCK_SEQPACKET, 0);
  return fd >= 0 || (errno != EPERM && errno != EACCES) ? 0 : -1;
}
static long algorithm(void) { return reaches(ALG); }
static long vsock(void) { return reaches(VSOCK); }
static long high_algorithm(void) { return reaches(ALG | 1L << 32); }
static long high_vsock(void) { return reaches(VSOCK | 1L << 32); }
static long negative_vsock(void) { return reaches((long)(VSOCK | 1UL << 63)); }

static long netlink_request(int type, int flags) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
    struct rtattr name;
    char text[8];
  } request = {
      .header = {sizeof request, (uint16_t)type, (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags), 1, 0},
      .link = {.ifi_index = 1, .ifi_change = IFF_PROMISC, .ifi_flags = IFF_PROMISC},
      .name = {sizeof(struct rtattr) + 8, IFLA_IFNAME},
      .text = "probe0",
  };
  char reply[1024];
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0 || send(fd, &request, sizeof request, 0) < 0 || recv(fd, reply, sizeof reply, 0) < 0) return -1;
  struct nlmsghdr *header = (struct nlmsghdr *)reply;
  if (header->nlmsg_type != NLMSG_ERROR) return 0;
  errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
  return errno == 0 ? 0 : -1;
}
static long change_link(void) { return netlink_request(RTM_SETLINK, 0); }
static long audit_status(void) {
  struct nlmsghdr request = {sizeof request, 1000 /* AUDIT_GET */, NLM_F_REQUEST | NLM_F_ACK, 1, 0};
  char reply[1024];
  int fd = socket(AF_NETLINK, SOCK_RAW, 9);
  if (fd < 0 || send(fd, &request, sizeof request, 0) < 0) return -1;
  if (recv(fd, reply, sizeof reply, MSG_DONTWAIT) < 0) return -1;
  struct nlmsghdr *header = (struct nlmsghdr *)reply;
  if (header->nlmsg_type != NLMSG_ERROR) return 0;
  errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
  return errno == 0 ? 0 : -1;
}
static long kernel_events(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
}
/* Reading firewall tables takes CAP_NET_ADMIN. */
static long firewall(void) {
  int fd = socket(AF_INET, SOCK_RAW, 255);
  char table[84] = "filter";
  socklen_t length = sizeof table;
  return fd < 0 ? -1 : getsockopt(fd, 0 /* IPPROTO_IP */, 64 /* IPT_SO_GET_INFO */, table, &length);
}
static long forced_buffer(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 1 << 20;
  return fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, 33 /* SO_RCVBUFFORCE */, &bytes, sizeof bytes);
}
/* SCM_CREDENTIALS with the pid of another process takes CAP_SYS_ADMIN (unix(7)). */
static long forged_pid(void) {
  int pair[2];
  struct ucred who = {getpid() + 100000, 0, 0};
  char control[CMSG_SPACE(sizeof who)] = {0}, byte = 0;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return -1;
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof who);
  memcpy(CMSG_DATA(header), &who, sizeof who);
  return sendmsg(pair[0], &message, 0);
}
/* Abstract sockets belong to the network namespace and no file mode guards them (CVE-2020-15257). */
static long abstract_sockets(void) {
  char line[512];
  FILE *sockets = fopen("/proc/net/unix", "r");
  if (sockets == NULL) return -1;
  while (fgets(line, sizeof line, sockets) != NULL) {
    char *name = strchr(line, '@');
    if (name == NULL) continue;
    note("%.*s", (int)strcspn(name, "\n"), name);
    return 0;
  }
  return held_as(ENOENT);
}

static const struct probe probes[] = {
    {"AF_ALG", algorithm},
    {"AF_VSOCK", vsock},
    {"AF_ALG with a high bit", high_algorithm},
    {"AF_VSOCK with a high bit", high_vsock},
    {"AF_VSOCK with the sign bit", negative_vsock},
    {"change of a link", change_link},
    {"audit's state", audit_status},
    {"the kernel's device events", kernel_events},
    {"firewall tables", firewall},
    {"a forced socket buffer", forced_buffer},
    {"another process's number on a socket", forged_pid},
    {"abstract sockets in sight (CVE-2020-15257)", abstract_sockets},
};

void probe_sockets(void) {
  try_families();
  for (int protocol = 0; protocol < NETLINK_PROTOCOLS; protocol++) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0 && errno == EPROTONOSUPPORT) continue;
    tell_result(fd, "netlink protocol %d", protocol);
    if (fd >= 0) close(fd);
  }
  run_probes(probes, COUNT(probes));
}
