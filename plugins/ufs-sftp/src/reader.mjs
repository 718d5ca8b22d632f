/** A range of a file, with several reads in flight on one handle. */
import { changed, refuse } from './errors.mjs'
import { describe } from './status.mjs'

/** Below the 256 KiB that OpenSSH takes in a packet. */
const READ_BYTES = 128 * 1024
/** Two MiB on their way: what the window of an SSH channel lets through. */
const IN_FLIGHT = 16

export async function* readRange(connections, place, path, options) {
  const { offset, length, fingerprint, onFingerprint, signal } = options
  const session = await connections.session(signal)
  const call = (operation, run) => connections.callOn(session, operation, path, signal, run)
  const handle = await call('open', (sftp, done) => sftp.open(place, 'r', done))
  const queue = []
  try {
    const look = async () => describe(path, await call('fstat', (sftp, done) => sftp.fstat(handle, done)))
    const found = await look()
    if (found?.directory) throw refuse('IS_A_DIRECTORY', `${path} is a directory`)
    if (found === undefined) throw refuse('UNSUPPORTED', `${path} is no regular file`)
    if (fingerprint !== undefined && fingerprint !== found.fingerprint) throw changed(path)
    onFingerprint?.(found.fingerprint)
    const end = Math.min(found.length, offset + length)
    let position = offset
    const more = () => {
      const bytes = Math.min(READ_BYTES, end - position)
      const reading = readWhole(call, handle, path, position, bytes)
      // One that fails behind another is told when its turn comes, or not at all if the reader leaves.
      reading.catch(() => {})
      queue.push(reading)
      position += bytes
    }
    while (position < end && queue.length < IN_FLIGHT) more()
    while (queue.length > 0) {
      const chunk = await queue.shift()
      if (position < end) more()
      yield chunk
    }
    if ((await look())?.fingerprint !== found.fingerprint) throw changed(path)
  } finally {
    await Promise.allSettled(queue)
    if (session.alive) session.sftp.close(handle, () => {})
  }
}

async function readWhole(call, handle, path, position, length) {
  const buffer = Buffer.allocUnsafeSlow(length)
  for (let filled = 0; filled < length; ) {
    const bytes = await call('read', (sftp, done) =>
      sftp.read(handle, buffer, filled, length - filled, position + filled, (error, count) =>
        // The end where the length promised more.
        error?.code === 1 ? done(undefined, 0) : done(error, count),
      ),
    )
    if (bytes === 0) throw changed(path)
    filled += bytes
  }
  return buffer
}
