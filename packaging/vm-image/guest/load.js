/**
 * Loads the agent with the code that V8 compiled when the image was built, where the image has it: compiling is two thirds of
 * what loading takes. One script in place of modules, since V8 hands out a
 * script's code also of functions that have run. V8 itself refuses code of another build or with other flags.
 */
const { existsSync, readFileSync, writeFileSync } = process.getBuiltinModule('fs');
const { createRequire } = process.getBuiltinModule('module');
const { join } = process.getBuiltinModule('path');
const { Script, constants } = process.getBuiltinModule('vm');

const directory = import.meta.dirname;
const [codePath, cachePath] = ['cjs', 'code'].map((kind) => join(directory, `guest-agent.${kind}`));
const script = new Script(readFileSync(codePath, 'latin1'), {
  // The code holds the name, and is to be the same wherever it was compiled.
  filename: '/usr/lib/corten/dist/agent/guest-agent.cjs',
  cachedData: existsSync(cachePath) ? readFileSync(cachePath) : undefined,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
if (script.cachedDataRejected) console.error('corten: the agent comes with code for another Node');
// Its workers, its libraries and package.json are looked for from here.
const place = import.meta.filename;
const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(place), module, place, directory);

const { start, main } = module.exports;
const { CORTEN_WRITE_CODE: written } = process.env;
if (written === undefined) await start();
else {
  await main(['--help']);
  writeFileSync(written, script.createCachedData());
}
