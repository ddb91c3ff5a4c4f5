/** `corten ps` */
import type { ContainerSummary } from '../../agent/contract/docker.ts';
import { table } from '../table.ts';
import type { Verb } from '../verb.ts';

export const psVerb: Verb = (program, session) => {
  program
    .command('ps')
    .description('list containers')
    .option('-a, --all', 'also those that do not run')
    .option('-q, --quiet', 'ids only')
    .option('--json', "the engine's own list, as JSON")
    .action(async ({ all, quiet, json }) => {
      const engine = await session.engine();
      const list = await engine.ask<ContainerSummary[]>(
        'GET',
        `/containers/json${all ? '?all=1' : ''}`,
      );
      if (json) session.printJson(list);
      else if (quiet) session.print(list.map(({ Id }) => `${shortId(Id)}\n`).join(''));
      else session.print(table(['ID', 'NAME', 'IMAGE', 'STATUS', 'PORTS'], list.map(row)));
    });
};

function row({ Id, Names, Image, Status, Ports }: ContainerSummary): string[] {
  return [
    shortId(Id),
    Names?.[0]?.slice(1) ?? '',
    Image ?? '',
    Status ?? '',
    [...new Set((Ports ?? []).map(portText))].join(', '),
  ];
}

function portText({
  IP,
  PublicPort,
  PrivatePort,
  Type,
}: NonNullable<ContainerSummary['Ports']>[number]) {
  const inside = `${PrivatePort}/${Type}`;
  return PublicPort === undefined ? inside : `${IP}:${PublicPort}->${inside}`;
}

const shortId = (id = '') => id.slice(0, 12);
