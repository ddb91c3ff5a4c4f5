/* beat.c: shorter ticks while processors are waited for. */
#ifndef CORTEN_BEAT_H
#define CORTEN_BEAT_H

/* A byte of standard input keeps it going for some seconds; the end of the input ends it. */
int keep_beat(void);

#endif
