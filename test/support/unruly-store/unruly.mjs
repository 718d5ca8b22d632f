/** The shelf, which does wrong whenever the last name of a path that it is asked about is one of these. */
import shelf from '../shelf-store/shelf.mjs'

const kept = []
const WRONGS = {
  hang: () => new Promise(() => {}),
  loop: () => {
    for (;;);
  },
  'throw-in-a-timer': () => {
    setTimeout(() => {
      throw new Error('a stray throw')
    })
    return new Promise(() => {})
  },
  'stray-rejection': () => {
    void Promise.reject(new Error('a stray rejection'))
    return new Promise(() => {})
  },
  exit: () => process.exit(3),
  'leak-heap': () => {
    for (;;) kept.push(Array.from({ length: 1000 }, (_, i) => ({ i })))
  },
  'leak-buffers': async () => {
    for (let i = 0; i < 96; i++) kept.push(Buffer.alloc(2 ** 20, 1))
    return new Promise(() => {})
  },
  'no-status': () => ({ path: 1 }),
  'no-clone': () => ({
    path: 'x',
    directory: false,
    length: 0,
    modifiedMs: 0,
    fingerprint: () => {},
  }),
  foreign: () => {
    throw 'a string'
  },
}

export default {
  schemes: ['unruly'],
  async open(uri, options, modules) {
    const store = await shelf.open(uri, options, modules)
    const own = (path) => WRONGS[path.slice(path.lastIndexOf('/') + 1)]
    const status = store.status.bind(store)
    const open = store.open.bind(store)
    store.status = async (path, signal) => own(path)?.() ?? status(path, signal)
    // Wrong in the middle of a read: after its first half.
    store.open = async function* (path, options) {
      const [half, name] = path.split('@')
      let given = 0
      for await (const chunk of open(half, options)) {
        // Before it is the reader's: a chunk that was moved to the daemon is empty here.
        given += chunk.length
        yield chunk
        if (name !== undefined && given >= 2 ** 20) await WRONGS[name]()
      }
    }
    return store
  },
}
