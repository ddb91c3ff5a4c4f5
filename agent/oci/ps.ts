/** The verb `ps`: prints the processes of a container with PIDs of the host. */
import { spawnSync } from 'node:child_process';
import { CortenError, invalid } from '../errors.ts';
import { idOf, textOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { print } from './print.ts';

export function psVerb({ store }: Context): Verb {
  return {
    takes: '<id> [ps options]',
    about: 'list the processes of a container',
    options: { format: { type: 'string', short: 'f', default: 'table' } },
    run(call) {
      const container = Container.open(store, idOf(call));
      const pids = container.cgroup().processes();
      const format = textOf(call, 'format');
      if (format === 'json') print(JSON.stringify(pids));
      else if (format === 'table') printTable(pids, call.words.slice(1));
      else throw invalid(`--format takes table or json, not "${format}"`);
      return 0;
    },
  };
}

/** Prints the lines of ps(1) whose PID is in the container. */
function printTable(pids: readonly number[], options: readonly string[]): void {
  const { error, status, stdout, stderr } = spawnSync(
    'ps',
    options.length > 0 ? options : ['-ef'],
    {
      encoding: 'utf8',
    },
  );
  if (error !== undefined || status !== 0)
    throw new CortenError('invalid', `ps failed: ${error?.message ?? stderr.trim()}`);
  const [head = '', ...lines] = stdout.trimEnd().split('\n');
  const column = head.trim().split(/\s+/).indexOf('PID');
  if (column < 0) throw invalid('the options for ps must show the column PID');
  const own = new Set(pids.map(String));
  for (const line of [
    head,
    ...lines.filter((one) => own.has(one.trim().split(/\s+/)[column] ?? '')),
  ])
    print(line);
}
