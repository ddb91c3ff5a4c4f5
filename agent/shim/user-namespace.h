/* User namespaces of containers; see user-namespace.c. */
#ifndef CORTEN_USER_NAMESPACE_H
#define CORTEN_USER_NAMESPACE_H
#include <sys/types.h>

/* Further tasks of the program. They return the exit code. */
int make_namespaces(const char *flags, const char *user_fd, int keep);
int enter_namespaces(const char *path, char **program);

/* Both return -1 and set errno on failure. */
int enter_user_namespace(int fd);
pid_t clone_sibling(unsigned long flags);

#endif
