/* The forwarder of published ports; see ports.c. */
#ifndef CORTEN_PORTS_H
#define CORTEN_PORTS_H

/* `texts` ends with NULL. Returns the exit code, only when the start fails. */
int forward_ports(int network, char **texts);

#endif
