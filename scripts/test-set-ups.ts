/** For scripts/test: what has to be set up for the tests that its words choose, one a line. Exits 2 for wrong words. */
import { chooseFrom, NothingChosen, readWords, setUpsFor } from './chosen-tests.ts';

const request = readWords(process.argv.slice(2));
try {
  for (const setUp of setUpsFor(chooseFrom(request), request)) console.log(setUp);
} catch (error) {
  if (!(error instanceof NothingChosen)) throw error;
  console.error(`test: ${error.message}\nTry 'scripts/test --help'.`);
  process.exitCode = 2;
}
