/* beat.c: shorter ticks while processors are waited for, and a word when that begins. */
#ifndef CORTEN_BEAT_H
#define CORTEN_BEAT_H

/* What standard input asks for, by its last byte: the beat for some seconds, or to watch. */
enum { BEAT = '.', WATCH = 'w' };

/* A byte of standard output says, once for each time it is asked to watch, that somebody waits. The input's end ends it. */
int keep_beat(void);

#endif
