/** Waits until something is so, looking every few milliseconds. */
export async function eventually(check: () => boolean, ms = 10_000): Promise<void> {
  const end = performance.now() + ms
  while (!check()) {
    if (performance.now() > end) throw new Error(`not so within ${ms} ms: ${check}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Does not keep the process: a test may end while a handler still waits. */
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
