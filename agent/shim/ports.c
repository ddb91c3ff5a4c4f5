/*
 * Forwards published ports without root. Rules forward packets only within a network namespace, and the machine's
 * belongs to root; so a process per container accepts connections and datagrams there and forwards them. It gets the
 * machine's sockets from the agent, and goes on when the agent ends.
 */
#define _GNU_SOURCE
#include "ports.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { LISTENER, DATAGRAMS, STREAM, SESSION };

/* Data of epoll events, each of which begins with its kind. */
struct port {
  enum kind kind;
  int fd;
  struct sockaddr_in target;
};

struct way {
  int from, to, pipe[2];
  size_t held;
  int ended, closed;
};

struct stream {
  enum kind kind;
  int connected, dead;
  struct way way[2];
  struct stream *next_dead;
};

/* A client of a datagram port. */
struct session {
  enum kind kind;
  int fd;
  struct port *port;
  struct sockaddr_in client;
  struct in_pktinfo reached; /* the machine's address that it wrote to: answers come from there */
  time_t used;
  struct session *next;
};

static const size_t pipe_bytes = 65536;
static const uint32_t stream_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
/* Work per event, so that others get their turn. */
static const int most_rounds = 16;
/* Timeout of answered flows in conntrack (nf_conntrack_udp_timeout_stream). */
static const time_t session_seconds = 120;
static const int most_sessions = 1024;

static int epoll, port_count, session_count, is_full;
static struct port *ports;
static struct session *sessions, *dead_sessions;
static struct stream *dead_streams;

static int watch(int fd, void *what, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = what};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Without free descriptors nothing can be accepted, and the pending event would keep this process busy. */
static void set_full(int full) {
  if (is_full == full) return;
  is_full = full;
  for (int i = 0; i < port_count; i++) {
    struct epoll_event event = {.events = full ? 0 : EPOLLIN, .data.ptr = &ports[i]};
    if (ports[i].kind == LISTENER) epoll_ctl(epoll, EPOLL_CTL_MOD, ports[i].fd, &event);
  }
}

static void end_stream(struct stream *stream) {
  if (stream->dead) return;
  stream->dead = 1;
  for (int i = 0; i < 2; i++) {
    close(stream->way[i].from);
    if (stream->way[i].pipe[0] >= 0) close(stream->way[i].pipe[0]);
    if (stream->way[i].pipe[1] >= 0) close(stream->way[i].pipe[1]);
  }
  stream->next_dead = dead_streams;
  dead_streams = stream;
  set_full(0);
}

/* Returns -1 on an error, 1 when bytes were moved, 0 when nothing is ready. */
static int move_once(struct way *way) {
  int moved = 0;
  if (!way->ended && way->held < pipe_bytes) {
    ssize_t count = splice(way->from, NULL, way->pipe[1], NULL, pipe_bytes - way->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return -1;
    if (count == 0) way->ended = moved = 1;
    if (count > 0) way->held += (size_t)count, moved = 1;
  }
  if (way->held > 0) {
    ssize_t count = splice(way->pipe[0], NULL, way->to, NULL, way->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return -1;
    if (count > 0) way->held -= (size_t)count, moved = 1;
  }
  if (way->ended && way->held == 0 && !way->closed) {
    way->closed = 1;
    shutdown(way->to, SHUT_WR);
  }
  return moved;
}

static void serve_stream(struct stream *stream) {
  if (stream->dead) return;
  if (!stream->connected) {
    int error = 0;
    socklen_t length = sizeof error;
    struct sockaddr_in peer;
    getsockopt(stream->way[1].from, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
      /* A refusal must reach the client as one and not as an end of file. */
      const struct linger at_once = {1, 0};
      setsockopt(stream->way[0].from, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      end_stream(stream);
      return;
    }
    length = sizeof peer;
    if (getpeername(stream->way[1].from, (struct sockaddr *)&peer, &length) < 0) return; /* not yet */
    stream->connected = 1;
  }
  int moved = 1;
  for (int round = 0; moved && round < most_rounds; round++) {
    moved = 0;
    for (int i = 0; i < 2; i++) {
      int result = move_once(&stream->way[i]);
      if (result < 0) {
        end_stream(stream);
        return;
      }
      moved |= result;
    }
  }
  if (stream->way[0].closed && stream->way[1].closed) {
    end_stream(stream);
    return;
  }
  if (moved) {
    /* Events are edge-triggered, so this handles what is ready already. */
    struct epoll_event event = {.events = stream_events, .data.ptr = stream};
    for (int i = 0; i < 2; i++) epoll_ctl(epoll, EPOLL_CTL_MOD, stream->way[i].from, &event);
  }
}

static void start_stream(struct port *port) {
  int client = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) set_full(1);
    return;
  }
  struct stream *stream = calloc(1, sizeof *stream);
  int target = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (stream == NULL || target < 0) {
    close(client);
    if (target >= 0) close(target);
    free(stream);
    return;
  }
  *stream = (struct stream){.kind = STREAM, .way = {{.from = client, .to = target, .pipe = {-1, -1}}, {.from = target, .to = client, .pipe = {-1, -1}}}};
  int failed = pipe2(stream->way[0].pipe, O_NONBLOCK | O_CLOEXEC) < 0 || pipe2(stream->way[1].pipe, O_NONBLOCK | O_CLOEXEC) < 0;
  failed = failed || (connect(target, (struct sockaddr *)&port->target, sizeof port->target) < 0 && errno != EINPROGRESS);
  if (failed || watch(client, stream, stream_events) < 0 || watch(target, stream, stream_events) < 0) end_stream(stream);
}

static void end_session(struct session **place) {
  struct session *session = *place;
  *place = session->next;
  close(session->fd);
  session->fd = -1;
  session->next = dead_sessions;
  dead_sessions = session;
  session_count--;
}

static void end_idle_sessions(void) {
  time_t now = time(NULL);
  for (struct session **place = &sessions; *place != NULL;)
    if (now - (*place)->used > session_seconds) end_session(place);
    else place = &(*place)->next;
}

/* The session that was idle longest is closed. */
static void make_room(void) {
  struct session **oldest = &sessions;
  for (struct session **place = &sessions; *place != NULL; place = &(*place)->next)
    if ((*place)->used < (*oldest)->used) oldest = place;
  if (*oldest != NULL) end_session(oldest);
}

static struct session *session_of(struct port *port, const struct sockaddr_in *client) {
  for (struct session *session = sessions; session != NULL; session = session->next)
    if (session->port == port && session->client.sin_port == client->sin_port && session->client.sin_addr.s_addr == client->sin_addr.s_addr)
      return session;
  if (session_count >= most_sessions) make_room();
  struct session *session = calloc(1, sizeof *session);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (session == NULL || fd < 0 || connect(fd, (struct sockaddr *)&port->target, sizeof port->target) < 0) {
    if (fd >= 0) close(fd);
    free(session);
    return NULL;
  }
  *session = (struct session){.kind = SESSION, .fd = fd, .port = port, .client = *client, .next = sessions};
  if (watch(fd, session, EPOLLIN) < 0) {
    close(fd);
    free(session);
    return NULL;
  }
  sessions = session;
  session_count++;
  return session;
}

static char datagram[65536];

static void take_datagram(struct port *port) {
  struct sockaddr_in client;
  char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
  struct iovec vector = {datagram, sizeof datagram};
  struct msghdr message = {.msg_name = &client, .msg_namelen = sizeof client, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(port->fd, &message, 0);
  if (length < 0) return;
  struct session *session = session_of(port, &client);
  if (session == NULL) return; /* as if the network had lost it */
  session->used = time(NULL);
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part))
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) memcpy(&session->reached, CMSG_DATA(part), sizeof session->reached);
  send(session->fd, datagram, (size_t)length, 0);
}

static void answer(struct session *session) {
  if (session->fd < 0) return;
  ssize_t length = recv(session->fd, datagram, sizeof datagram, 0);
  if (length < 0) return; /* ECONNREFUSED: nobody listens there; a datagram more or less */
  char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
  struct iovec vector = {datagram, (size_t)length};
  struct msghdr message = {.msg_name = &session->client, .msg_namelen = sizeof session->client, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  struct in_pktinfo from = {.ipi_spec_dst = session->reached.ipi_spec_dst};
  part->cmsg_level = IPPROTO_IP;
  part->cmsg_type = IP_PKTINFO;
  part->cmsg_len = CMSG_LEN(sizeof from);
  memcpy(CMSG_DATA(part), &from, sizeof from);
  session->used = time(NULL);
  sendmsg(session->port->fd, &message, 0);
}

static void handle(void *what) {
  switch (*(enum kind *)what) {
    case LISTENER: start_stream(what); break;
    case DATAGRAMS: take_datagram(what); break;
    case STREAM: serve_stream(what); break;
    case SESSION: answer(what); break;
  }
}

/* "tcp:<descriptor>:<port>:<address>" */
static int read_port(char *text, struct port *port) {
  char *end;
  int is_tcp = strncmp(text, "tcp:", 4) == 0;
  if (!is_tcp && strncmp(text, "udp:", 4) != 0) return -1;
  long fd = strtol(text + 4, &end, 10);
  if (*end != ':') return -1;
  long number = strtol(end + 1, &end, 10);
  if (*end != ':' || fd < 0 || number < 1 || number > 65535) return -1;
  *port = (struct port){.kind = is_tcp ? LISTENER : DATAGRAMS, .fd = (int)fd, .target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)}};
  return inet_pton(AF_INET, end + 1, &port->target.sin_addr) == 1 ? 0 : -1;
}

static int prepare_port(struct port *port) {
  const int on = 1;
  fcntl(port->fd, F_SETFL, O_NONBLOCK);
  if (port->kind == DATAGRAMS && setsockopt(port->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0) return -1;
  return watch(port->fd, port, EPOLLIN);
}

/* Ended streams are freed after all events of a round, because a later event may refer to one. */
static void bury(void) {
  for (struct stream *stream; (stream = dead_streams) != NULL; free(stream)) dead_streams = stream->next_dead;
  for (struct session *session; (session = dead_sessions) != NULL; free(session)) dead_sessions = session->next;
}

int forward_ports(int network, char **texts) {
  struct rlimit files;
  prctl(PR_SET_NAME, "corten-ports", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);
  if (chdir("/") < 0) return 1;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  for (port_count = 0; texts[port_count] != NULL;) port_count++;
  ports = calloc((size_t)port_count + 1, sizeof *ports);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  /* Existing sockets stay in the machine's namespace; new ones are created in that of the bridges. */
  if (ports == NULL || epoll < 0 || setns(network, CLONE_NEWNET) < 0) return 1;
  close(network);
  for (int i = 0; i < port_count; i++)
    if (read_port(texts[i], &ports[i]) < 0 || prepare_port(&ports[i]) < 0) return 1;
  for (time_t swept = time(NULL);;) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, is_full ? 1000 : session_count > 0 ? 10000 : -1);
    if (count == 0) set_full(0);
    for (int i = 0; i < count; i++) handle(events[i].data.ptr);
    bury();
    if (session_count > 0 && time(NULL) - swept >= 10) {
      end_idle_sessions();
      swept = time(NULL);
    }
  }
}
