/** For scripts/test: what has to be set up for the tests that its words choose, one a line. */
import { choose, setUpsFor, testFiles } from './chosen-tests.ts';

const words = process.argv.slice(2);
for (const setUp of setUpsFor(choose(words, testFiles()), words)) console.log(setUp);
