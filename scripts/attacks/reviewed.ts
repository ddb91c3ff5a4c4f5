/**
 * Where Corten lets through what the peer of this machine refuses, and why that is meant. Everything
 * else of that kind makes scripts/attack fail.
 */
import type { Row } from './finding.ts';

/**
 * Calls that Linux got after the list of dockerd 26, which answers ENOSYS to them. moby allows them
 * since (github.com/moby/moby/pull/50077), and its list is our measure (docs/decisions/0004).
 */
const youngerThanPeer = [
  'native 457 statmount',
  'native 458 listmount',
  'native 462 mseal',
  'native 463 setxattrat',
  'native 464 getxattrat',
  'native 465 listxattrat',
  'native 466 removexattrat',
];

export function reviewed({ group, probe, dockerd }: Row): boolean {
  return (
    group === 'calls' &&
    youngerThanPeer.includes(probe) &&
    dockerd?.detail.startsWith('missing') === true
  );
}
