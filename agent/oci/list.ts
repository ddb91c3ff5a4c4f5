/** The verb `list`: prints all containers below `--root`. */

import { invalid } from '../errors.ts';
import { textOf, type Verb } from './command-line.ts';
import { Container } from './container.ts';
import type { Context } from './context.ts';
import { print } from './print.ts';

export function listVerb({ store }: Context): Verb {
  return {
    takes: '',
    about: 'list the containers',
    options: {
      format: { type: 'string', short: 'f', default: 'table' },
      quiet: { type: 'boolean', short: 'q' },
    },
    run(call) {
      const states = store.list().map((id) => Container.open(store, id).state());
      const format = textOf(call, 'format');
      if (call.values.quiet) for (const { id } of states) print(id);
      else if (format === 'json') print(JSON.stringify(states));
      else if (format === 'table') printTable(states);
      else throw invalid(`--format takes table or json, not "${format}"`);
      return 0;
    },
  };
}

function printTable(states: ReturnType<Container['state']>[]): void {
  const rows = [
    ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED'],
    ...states.map(({ id, pid, status, bundle, created }) => [
      id,
      String(pid),
      status,
      bundle,
      created,
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
}
