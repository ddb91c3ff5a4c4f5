/** Unmounts a shared folder in a machine. */
import type { Duplex } from 'node:stream';
import { FrameWriter, ShareOperation as Wire } from '../../../agent/contract/share-wire.ts';

/** Resolves once it is unmounted, or the connection has ended. */
export async function unmount(channel: Duplex, share: string): Promise<void> {
  channel.on('error', () => {});
  channel.resume();
  const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
  channel.write(
    new FrameWriter(0, Wire.bye).bytes(Buffer.from(JSON.stringify({ share }))).finish(),
  );
  channel.once('end', () => channel.destroy());
  await closed;
}
