/** `corten open` */
import { spawn } from 'node:child_process';
import type { Verb } from '../verb.ts';

export const openVerb: Verb = (program, session) => {
  program
    .command('open')
    .description('show the app: its window, or a fresh link for a browser, which works once')
    .option('--no-browser', 'only print the link')
    .action(async ({ browser }) => {
      const { address } = await (await session.app()).link();
      if (address === undefined) return session.print('The window is shown.');
      session.print(address);
      const { DISPLAY, WAYLAND_DISPLAY } = session.io.environment;
      if (!browser || (DISPLAY === undefined && WAYLAND_DISPLAY === undefined)) return;
      const opener = spawn('xdg-open', [address], { stdio: 'ignore', detached: true });
      // Without xdg-open the printed link is what there is.
      opener.on('error', () => {});
      opener.unref();
    });
};
