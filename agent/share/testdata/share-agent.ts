/** The agent's part in shared folders as a process of its own, which a test can end: `share-agent.ts DIRECTORY PATIENCE_MS ASKS_AGAIN`. */
import { join } from 'node:path';
import { startShares } from '../shares.ts';

const [directory = '', patienceMs, resendsRequests] = process.argv.slice(2);
const shares = await startShares({
  socketPath: join(directory, 'share.sock'),
  ownersDirectory: join(directory, 'owners'),
  keptDirectory: join(directory, 'kept'),
  programPath: join(import.meta.dirname, '../../../dist/shim/shim'),
  patienceMs: Number(patienceMs),
  resendsRequests: resendsRequests === 'true',
  report: (what, error) => process.send?.({ event: 'failed', what, message: String(error) }),
});
shares.onNews((news) => process.send?.(news));
const end = (order: 'leave' | 'close') => shares.close(order).then(() => process.exit(0));
process.on('SIGTERM', () => end('leave'));
process.on('message', () => end('close'));
process.send?.({ event: 'ready' });
