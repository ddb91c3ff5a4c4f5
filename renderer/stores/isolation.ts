/** Isolation reports, by container; read again when an event touches the container. */
import { create } from 'zustand';
import type { IsolationReport } from '../../agent/contract/isolation.ts';
import { getIsolation } from '../bridge/containers.ts';
import { perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';

export const useIsolation = perMachine(
  create<{
    reports: Record<string, IsolationReport>;
    errors: Record<string, string | undefined>;
  }>()(() => ({ reports: {}, errors: {} })),
);

export async function loadIsolation(id: string): Promise<void> {
  try {
    const report = await getIsolation(id);
    useIsolation.setState((state) => ({
      reports: { ...state.reports, [id]: report },
      errors: { ...state.errors, [id]: undefined },
    }));
  } catch (error) {
    useIsolation.setState((state) => ({ errors: { ...state.errors, [id]: messageOf(error) } }));
  }
}
