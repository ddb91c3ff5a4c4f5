/* The keeper of a shared folder's file system; see folder.c. */
#ifndef CORTEN_FOLDER_H
#define CORTEN_FOLDER_H

/* `texts`: the agent's process, the thread of it that serves, its longest question and our patience in
 * milliseconds. Returns the exit code when the file system has ended. */
int keep_folder(char **texts);

#endif
