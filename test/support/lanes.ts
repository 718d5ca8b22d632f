/** `count` pieces of work, so many at a time. */
export async function lanes(
  count: number,
  parallel: number,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: parallel }, lane))
}
