/** `corten exec` */
import { execIn } from '../engine/exec.ts';
import { collect } from '../sizes.ts';
import type { Verb } from '../verb.ts';

export const execVerb: Verb = (program, session) => {
  program
    .command('exec')
    .description('run a command in a running container')
    .argument('<container>', 'name or id')
    .argument('<command...>', 'the command and its arguments')
    .option('-d, --detach', 'do not wait for it')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'give it a terminal')
    .option('-e, --env <name=value>', 'environment variable; may be repeated', collect)
    .option('-u, --user <user>', 'user and group inside, such as 1000:1000')
    .option('-w, --workdir <dir>', 'working directory inside')
    .option('--privileged', 'with all privileges that the engine gives')
    .passThroughOptions()
    .action(async (container: string, command: string[], options) => {
      session.exitCode = await execIn(session, container, {
        Cmd: command,
        Tty: options.tty ?? false,
        AttachStdin: options.interactive ?? false,
        AttachStdout: !options.detach,
        AttachStderr: !options.detach,
        Env: options.env,
        User: options.user,
        WorkingDir: options.workdir,
        Privileged: options.privileged,
        detach: options.detach,
      });
    });
};
