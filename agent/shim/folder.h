/* The process that holds a shared folder's file system; see folder.c. */
#ifndef CORTEN_FOLDER_H
#define CORTEN_FOLDER_H

/*
 * `texts`: PID of the agent, ID of its serving thread, its longest request in bytes and the timeout in milliseconds.
 * Returns the exit code when the file system has ended.
 */
int keep_folder(char **texts);

#endif
