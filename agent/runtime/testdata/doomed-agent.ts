/** Starts containers as told on its command line, says so, and waits to be killed. */
import { TestBench, testProcess, testSpec } from './test-container.ts';

const { wanted, remapped } = JSON.parse(process.argv[2] ?? '') as {
  wanted: { script: string; terminal?: boolean; stdin?: boolean }[];
  remapped: boolean;
};
const bench = await TestBench.open({ remapped });
const starts = await Promise.all(
  wanted.map(async ({ script, terminal, stdin }) => {
    const spec = testSpec(testProcess(['/bin/sh', '-c', script], { terminal }));
    const { running, run, log } = await bench.start(spec, { openStdin: stdin ?? false });
    return { pid: running.pid, shimPid: running.shimPid, run, log };
  }),
);
console.log(JSON.stringify({ root: bench.root, starts }));
setInterval(() => {}, 1000);
