/** A machine's end of a shared folder, that asks what no kernel would. */
import { type Duplex, duplexPair } from 'node:stream';
import {
  FrameReader,
  FrameSplitter,
  FrameWriter,
  ShareOperation as Wire,
} from '../../../../../agent/contract/share-wire.ts';
import type { FolderServer } from '../folder-server.ts';

export class Asker {
  readonly changes: FrameReader[] = [];
  /** What was asked for and given up. */
  readonly missed: FrameReader[] = [];
  /** How often it was told to go by nothing that it knows. */
  lost = 0;
  readonly #channel: Duplex;
  readonly #waiting = new Map<number, (reader: FrameReader) => void>();

  constructor(server: FolderServer, mount = 'mount', heard?: number) {
    const [ours, theirs] = duplexPair();
    this.#channel = ours;
    const splitter = new FrameSplitter();
    ours.on('data', (chunk: Buffer) =>
      splitter.push(chunk, (frame) => {
        const reader = new FrameReader(frame);
        if (reader.operation === Wire.changes) this.changes.push(reader);
        if (reader.operation === Wire.missed) this.missed.push(reader);
        if (reader.operation === Wire.lost) this.lost++;
        this.#waiting.get(reader.id)?.(reader);
      }),
    );
    void server.serve(theirs);
    const welcome = Buffer.from(JSON.stringify({ mount, heard }));
    ours.write(new FrameWriter(0, Wire.hello).bytes(welcome).finish());
  }

  ask(id: number, operation: number, fill: (frame: FrameWriter) => void): Promise<FrameReader> {
    const frame = new FrameWriter(id, operation);
    fill(frame);
    this.#channel.write(frame.finish());
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  close(): void {
    this.#channel.destroy();
  }
}
