/**
 * The attacks that Corten allows on purpose although dockerd refuses them, with the reasons. Any other such attack makes
 * scripts/attack fail.
 */
import type { Row } from './finding.ts';

/**
 * System calls that are newer than dockerd 26, which answers ENOSYS to them. moby has allowed them since
 * (github.com/moby/moby/pull/50077), and we follow its list (docs/decisions/0004).
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

/** Without root no device node can be made, so the host's harmless ones are bind-mounted (docs/decisions/0014-without-root.md). */
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
