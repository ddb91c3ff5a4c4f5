/** What a host implements, once, for both shells: the bridge seen from its other end. */
import type { DuplexChannels, RequestChannels, StreamChannels } from './bridge.ts';

export interface HostChannels {
  requests: {
    [C in keyof RequestChannels]: (
      ...args: Parameters<RequestChannels[C]>
    ) => Promise<ReturnType<RequestChannels[C]>>;
  };
  streams: {
    [C in keyof StreamChannels]: (
      request: StreamChannels[C]['request'],
      signal: AbortSignal,
    ) => AsyncIterable<StreamChannels[C]['item']>;
  };
  duplexes: {
    [C in keyof DuplexChannels]: (
      request: DuplexChannels[C]['request'],
      emit: (message: DuplexChannels[C]['toRenderer']) => void,
    ) => Promise<HostDuplex<DuplexChannels[C]['toHost']>>;
  };
}

export interface HostDuplex<ToHost> {
  receive(message: ToHost): void;
  close(): void;
  /** Settles when this side has ended; a rejection reaches the renderer as the duplex's failure. */
  ended: Promise<void>;
}
