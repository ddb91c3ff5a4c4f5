/** Numbers the flows of a UDP port's clients. A flow is dropped when no datagram passes for a while. */
import type { Socket as UdpSocket } from 'node:dgram';

/** Docker's own UDP proxy keeps a client for as long. */
const idleMs = 90_000;
/** A bound on memory when a port is flooded from forged addresses. */
const flowLimit = 4096;

interface Flow {
  id: number;
  socket: UdpSocket;
  address: string;
  port: number;
  lastUsedMs: number;
}

export class UdpFlows {
  /** The map's order is from the least to the most recently used flow. */
  readonly #byClient = new Map<string, Flow>();
  readonly #byId = new Map<number, Flow>();
  readonly #now: () => number;
  readonly #sweep: NodeJS.Timeout;
  #lastId = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#sweep = setInterval(() => this.sweep(), idleMs / 3);
    this.#sweep.unref();
  }

  idOf(socket: UdpSocket, { address, port }: { address: string; port: number }): number {
    const key = `${address} ${port}`;
    const known = this.#byClient.get(key);
    if (known !== undefined) {
      this.#touch(key, known);
      return known.id;
    }
    const [oldest] = this.#byClient;
    if (this.#byClient.size >= flowLimit && oldest !== undefined) this.#forget(...oldest);
    this.#lastId = (this.#lastId + 1) % 0x1_0000_0000;
    const flow = { id: this.#lastId, socket, address, port, lastUsedMs: this.#now() };
    this.#byClient.set(key, flow);
    this.#byId.set(flow.id, flow);
    return flow.id;
  }

  /** The client that an answer belongs to; undefined when its flow was dropped. */
  find(id: number): Flow | undefined {
    const flow = this.#byId.get(id);
    if (flow !== undefined) this.#touch(`${flow.address} ${flow.port}`, flow);
    return flow;
  }

  sweep(): void {
    const before = this.#now() - idleMs;
    for (const [key, flow] of this.#byClient) {
      if (flow.lastUsedMs >= before) return;
      this.#forget(key, flow);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #touch(key: string, flow: Flow): void {
    flow.lastUsedMs = this.#now();
    this.#byClient.delete(key);
    this.#byClient.set(key, flow);
  }

  #forget(key: string, flow: Flow): void {
    this.#byClient.delete(key);
    this.#byId.delete(flow.id);
  }
}
