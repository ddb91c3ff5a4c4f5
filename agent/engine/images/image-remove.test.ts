import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, workbench } from '../testdata/workbench.ts';

const options = { force: false, prune: true };

test('a name that the word before a digest begins with is a name all the same', async (t) => {
  const { engine, images } = await workbench(t);
  const [image] = images.images;
  for (const name of ['s', 'sha', 'sha256']) {
    image!.tags = [`${name}:latest`, 'other:latest'];
    assert.deepEqual(await engine.images.remove(name, options), {
      untagged: [`${name}:latest`],
      deleted: [],
    });
  }
  assert.deepEqual(image!.tags, ['other:latest']);
});

test('an image that a container was made of while it lost its names is not pruned', async (t) => {
  const bench = await workbench(t);
  const { engine, images } = bench;
  const untag = images.untag.bind(images);
  images.untag = async (name) => {
    await create(bench, {}, 'late');
    await untag(name);
  };
  const { deleted } = await engine.images.prune({ danglingOnly: false, labels: [] });
  assert.deepEqual(deleted, []);
  assert.equal(images.images.length, 1);
});
