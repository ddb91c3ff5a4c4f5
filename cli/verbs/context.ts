/** `corten context` */
import type { DockerContextState } from '../../electron/contract/forward.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';

export const contextVerb: Verb = (program, session) => {
  const context = program
    .command('context')
    .description(
      "the docker CLI's context: show it, set it so that docker uses Corten, or undo that",
    );
  context
    .command('show', { isDefault: true })
    .description('show it')
    .option('--json', 'as JSON')
    .action(async ({ json }) => {
      const state = await ask(session, 'context.state');
      if (json) session.printJson(state);
      else session.print(describe(state));
    });
  context
    .command('set')
    .description('let docker use Corten')
    .action(async () => {
      session.print(describe(await ask(session, 'context.setUp')));
    });
  context
    .command('undo')
    .description('remove the context, and use the one before again')
    .action(async () => {
      session.print(describe(await ask(session, 'context.remove')));
    });
};

async function ask(
  session: Session,
  channel: 'context.state' | 'context.setUp' | 'context.remove',
): Promise<DockerContextState> {
  const app = await session.app();
  const machine = (await app.machine(session.chosenMachine ?? 'local')).id;
  return channel === 'context.setUp'
    ? app.request(channel, { machine, use: true })
    : app.request(channel, { machine });
}

function describe({
  name,
  host,
  isSetUp,
  isCurrent,
  overriddenBy,
  socketCause,
}: DockerContextState) {
  return [
    isSetUp ? `The context "${name}" leads to ${host}.` : `There is no context "${name}".`,
    isCurrent ? 'docker uses it.' : 'docker uses another one; `corten context set` changes that.',
    ...(overriddenBy === undefined
      ? []
      : [`${overriddenBy} is set, so docker looks at no context. Unset it.`]),
    ...(socketCause === undefined ? [] : [socketCause]),
  ].join('\n');
}
