/** Every case of Alluxio's contract suite as a test: what the store does not declare is skipped. */
import { test } from 'node:test'
import { openStore, runUfsTests } from 'alluxio/ufs'
import factory from '../src/index.mjs'

test('the contract of a store', async (t) => {
  const store = await openStore(factory, 'template://test/folder', {})
  const results = []
  await runUfsTests(store, { onResult: (result) => results.push(result) })
  for (const { name, outcome, reason, error } of results) {
    await t.test(name, { skip: outcome === 'skipped' && reason }, () => {
      if (error !== undefined) throw error
    })
  }
  await store.close()
})
