/** The `corten` command (scripts/corten). */
import { processIo } from './io.ts';
import { runCorten } from './program.ts';

// Whoever read the output has gone, as in `corten logs | head`: there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// A standard input that is still open must not keep the command alive.
process.exit(await runCorten(process.argv.slice(2), processIo()));
