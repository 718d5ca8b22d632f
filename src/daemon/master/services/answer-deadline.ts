/** Bounds what a caller waits for an under-store. The work itself goes on: it may serve the next one who asks. */
import type { AlluxioError, Runtime } from '../../../core/index.ts'

export function answeredWithin<T>(
  runtime: Runtime,
  ms: number,
  work: Promise<T>,
  late: () => AlluxioError,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = runtime.after(ms, () => reject(late()))
    work.then(resolve, reject).finally(cancel)
  })
}
