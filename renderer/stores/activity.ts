import { create } from 'zustand';
import type { EventMessage } from '../bridge/system.ts';
import { perMachine } from './per-machine.ts';

export interface ActivityEntry {
  key: number;
  atMs: number;
  type: string;
  action: string;
  name: string;
  id: string;
  detail: string;
}

const kept = 2000;
let lastKey = 0;

/** What happened in the engine, newest first. */
export const useActivity = perMachine(
  create<{ entries: ActivityEntry[] }>()(() => ({ entries: [] })),
);

export function applyActivity(event: EventMessage): void {
  useActivity.setState(({ entries }) => ({
    entries: [toEntry(event), ...entries].slice(0, kept),
  }));
}

function toEntry(event: EventMessage): ActivityEntry {
  lastKey += 1;
  const attributes = event.Actor?.Attributes ?? {};
  return {
    key: lastKey,
    atMs: event.timeNano ? event.timeNano / 1e6 : (event.time ?? 0) * 1000,
    type: event.Type ?? '',
    action: event.Action ?? '',
    name: attributes.name ?? event.Actor?.ID?.slice(0, 12) ?? '',
    id: event.Actor?.ID ?? '',
    detail: attributes.exitCode ?? attributes.image ?? attributes.container?.slice(0, 12) ?? '',
  };
}
