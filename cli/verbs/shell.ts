/** `corten shell` */
import { interactiveShell } from '../../agent/contract/interactive-shell.ts';
import { execIn } from '../engine/exec.ts';
import type { Verb } from '../verb.ts';

export const shellVerb: Verb = (program, session) => {
  program
    .command('shell')
    .description('open a shell in a running container')
    .argument('<container>', 'name or id')
    .option('-u, --user <user>', 'user and group inside, such as 1000:1000')
    .action(async (container: string, { user }) => {
      const { input, output, environment } = session.io;
      session.exitCode = await execIn(session, container, {
        Cmd: ['sh', '-c', interactiveShell],
        // A script that is piped in has no terminal, and needs none.
        Tty: input.isTTY === true && output.isTTY === true,
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Env: environment.TERM === undefined ? [] : [`TERM=${environment.TERM}`],
        User: user,
      });
    });
};
