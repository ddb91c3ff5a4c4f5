/**
 * Addresses name their machine: `#/m/<id>/containers/web`. Without one they are the first machine's,
 * which is this computer's own. Paths know nothing of it: their links lead on in the same machine.
 */
import type { ReactNode } from 'react';
import { Router } from 'wouter';
import { useHashLocation } from 'wouter/use-hash-location';
import { show } from '../stores/machines.ts';

const named = /^#?\/m\/([^/?]+)/;

export function MachineRouter({ children }: { children: ReactNode }) {
  const [path] = useHashLocation();
  return (
    <Router hook={useHashLocation} base={named.exec(path)?.[0] ?? ''}>
      {children}
    </Router>
  );
}

/** Before the page draws a place, its machine is the one that is looked at. */
export function followAddress(): void {
  const turn = () => show(named.exec(location.hash)?.[1]);
  addEventListener('hashchange', turn);
  turn();
}

/** Where a machine begins, from anywhere: `~` leaves the machine that is looked at. */
export function placeOf(machine: string, isFirst: boolean, place = ''): string {
  return isFirst ? `~${place || '/'}` : `~/m/${machine}${place}`;
}
