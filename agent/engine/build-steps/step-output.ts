/** Hands a step's output on as it comes. A listener that is slow holds the process's pipe back. */
import type { Socket } from 'node:net';
import type { StepRequest } from '../../builder/steps/step-runner.ts';
import type { ProcessStdio } from '../../runtime/runtime.ts';
import { openStreams } from '../streams/process-streams.ts';

export interface StepOutput {
  /** Resolves when both streams have ended and all of them was taken. Rejects with what the listener threw. */
  ended: Promise<void>;
  /** Drops the rest: the process is being killed. */
  close(): void;
}

export function readOutput(stdio: ProcessStdio, output: StepRequest['output']): StepOutput {
  const { stdout, stderr } = openStreams(stdio);
  const streams = [stdout, stderr].filter((stream) => stream !== undefined);
  const ended = Promise.all(
    streams.map((stream) => handOn(stream, stream === stdout ? 1 : 2, output)),
  );
  // Its reader may come after a failure.
  ended.catch(() => {});
  return {
    ended: ended.then(() => {}),
    close: () => {
      for (const stream of streams) stream.destroy();
    },
  };
}

async function handOn(stream: Socket, number: 1 | 2, output: StepRequest['output']): Promise<void> {
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  let taken: Promise<void> = Promise.resolve();
  stream.on('data', (data: Buffer) => {
    const busy = output(number, data);
    if (busy === undefined) return;
    stream.pause();
    taken = busy.then(() => void stream.resume());
    taken.catch((error) => stream.destroy(error));
  });
  await closed;
  await taken;
}
