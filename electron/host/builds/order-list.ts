/** What this app was asked to build, in `builds.json` of its configuration directory, so that it can be built again. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BuildOrder, BuildOrderRecord } from '../../contract/builds.ts';

export interface OrderList {
  /** The newest first. */
  on(machine: string): BuildOrderRecord[];
  /** Values of secrets are left out. */
  add(machine: string, order: BuildOrder): void;
}

/** More than an engine remembers by itself: builds can be pinned. */
const kept = 200;

type Written = BuildOrderRecord & { machine: string };

export function openOrderList(file: string): OrderList {
  let orders = read(file);
  return {
    on: (machine) =>
      orders.filter((each) => each.machine === machine).map(({ machine: _, ...order }) => order),
    add(machine, order) {
      const secrets = order.secrets.map((secret) =>
        'file' in secret ? { id: secret.id, file: secret.file } : { id: secret.id },
      );
      orders = [{ ...order, secrets, machine }, ...orders].slice(0, kept);
      write(file, orders);
    },
  };
}

function read(file: string): Written[] {
  try {
    const { builds } = JSON.parse(readFileSync(file, 'utf8')) as { builds: Written[] };
    return builds.filter(
      ({ ref, folder }) => typeof ref === 'string' && typeof folder === 'string',
    );
  } catch {
    // A list that is missing or damaged costs only the chance to build old ones again.
    return [];
  }
}

function write(file: string, builds: readonly Written[]): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.next`;
  // Build arguments may hold what is nobody else's business.
  writeFileSync(next, `${JSON.stringify({ builds }, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}
