/**
 * The browser shell with a machine in QEMU, as `scripts/start --machine qemu` has it, but with the
 * system image of another place: the stand-in of QEMU boots none. `qemu-app.ts IMAGES --root …`
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrowserShell } from '../../../electron/browser-shell.ts';
import { pathsIn } from '../../../electron/paths.ts';

const { values, positionals } = parseArgs({
  options: {
    'no-open': { type: 'boolean' },
    root: { type: 'string', default: '' },
    run: { type: 'string', default: '' },
  },
  allowPositionals: true,
});
const base = resolve(import.meta.dirname, '../../..');
const shell = await startBrowserShell({
  paths: { ...pathsIn(base), guestImagesDirectory: positionals[0] ?? '' },
  rootDirectory: values.root,
  runDirectory: values.run,
  machine: 'qemu',
  port: 0,
  version: '0',
});
process.stdout.write(`ready ${shell.address}\n`);
process.once('SIGTERM', () => void shell.close().then(() => process.exit(0)));
