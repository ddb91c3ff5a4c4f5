/**
 * Published ports on the computer that a virtual machine runs on. The host opens a channel to the
 * name `ports`; both ends send JSON in frames (framing.ts). The host begins with a word on itself,
 * the agent answers with every published port, and from then on says what changes. A container's start
 * waits for the host's answer, so that a port works once `docker run` returns, and a port that
 * somebody has on the host fails it as dockerd would.
 */
import { framed } from './framing.ts';

export const outsidePortsService = 'ports';

export interface OutsidePort {
  /** The agent's own number for it; used once. */
  id: number;
  containerId: string;
  protocol: 'tcp' | 'udp';
  /** On the host: `0.0.0.0` is every address of it, those of IPv6 included. */
  hostAddress: string;
  hostPort: number;
  /** Where the container listens, in the machine. */
  containerAddress: string;
  containerPort: number;
}

export type ToHost = { all: OutsidePort[] } | { open: OutsidePort } | { close: number };

export type FromHost =
  /** `decides`: a port that cannot be had on the host makes the container's start fail. */
  | { hello: { decides: boolean } }
  | { opened: number }
  | { failed: number; failure: OutsideFailure };

export interface OutsideFailure {
  /** `taken`: another port may do, where the container asked for any. */
  kind: 'taken' | 'other';
  cause: string;
  nextStep: string;
}

export function frameOf(message: ToHost | FromHost): Buffer {
  return framed(Buffer.from(JSON.stringify(message)));
}

/** Undefined for what is no message: the other side may be newer, or broken. */
export function messageIn<T extends ToHost | FromHost>(frame: Buffer): T | undefined {
  try {
    const value: unknown = JSON.parse(frame.toString());
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
