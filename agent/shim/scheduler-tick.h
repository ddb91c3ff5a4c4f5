/* scheduler-tick.c: interrupts each CPU every millisecond while containers contend. */
#ifndef CORTEN_SCHEDULER_TICK_H
#define CORTEN_SCHEDULER_TICK_H

/* Each byte of standard input keeps the threads ticking for 2.5 s. Returns at the input's end. */
int run_scheduler_tick(void);

#endif
