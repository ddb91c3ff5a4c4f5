import { useEffect, useState } from 'react';

const stepMs = 10_000;

/** The time, stepping slowly: ages in a table need no more, and a hidden window no step at all. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNowMs(Date.now()), stepMs);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
