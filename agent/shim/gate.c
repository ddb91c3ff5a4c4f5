/* The child waits here until the shim has recorded it, and at gates that another process opens. */
#include "shim.h"
#include <unistd.h>

/* A child whose shim died before it recorded the PID ends here, since nobody would know of it. */
void await_shim(void) {
  static int known;
  char go;
  if (!known && read(FD_PEER, &go, 1) != 1) _exit(1);
  known = 1;
}

/* Returns when a byte arrives. The child exits when the writer has closed the gate. */
void pass_gate(int gate) {
  char go;
  if (read(gate, &go, 1) != 1) _exit(1);
  close(gate);
}

/* Reports REPORT_WAITING with `word` to the creator of the plan, which then opens the gate. */
void wait_at(int gate, uint32_t word) {
  struct report report = {REPORT_WAITING, 0, word};
  await_shim();
  write_all(FD_PEER, &report, sizeof report);
  pass_gate(gate);
}
