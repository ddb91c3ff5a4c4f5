/** Work that only somebody who looks needs: it stops while the window is hidden, and begins anew after. */
export function whileVisible(work: (signal: AbortSignal) => Promise<void>): () => void {
  let running: AbortController | undefined;
  const stop = () => {
    running?.abort();
    running = undefined;
  };
  const update = () => {
    if (document.hidden) stop();
    else if (running === undefined) {
      running = new AbortController();
      void work(running.signal);
    }
  };
  document.addEventListener('visibilitychange', update);
  update();
  return () => {
    document.removeEventListener('visibilitychange', update);
    stop();
  };
}
