/**
 * How long tests wait for what will surely happen. A busy machine runs them beside other work, and
 * patience costs nothing where all goes well; who runs them on an emulated processor
 * (devtools/guest-tests/init) says by how much more that takes.
 */
const slowness = Number(process.env.CORTEN_TEST_SLOWNESS ?? 1);

export const patienceMs = 60_000 * slowness;
