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

/** Without root device nodes cannot be made: the machine's harmless ones are bound (docs/decisions/0014-without-root.md). */
const boundDevice = /^\/dev\/(null|zero|full|random|urandom|tty) of type devtmpfs$/;

export function reviewed(
  { group, probe, corten, dockerd }: Row,
  { withoutRoot }: { withoutRoot: boolean },
): boolean {
  if (withoutRoot && group === 'mounts' && probe.endsWith('mounts of the machine in sight'))
    return boundDevice.test(corten?.detail ?? '');
  return (
    group === 'calls' &&
    youngerThanPeer.includes(probe) &&
    dockerd?.detail.startsWith('missing') === true
  );
}
