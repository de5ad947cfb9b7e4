/**
 * Does something with each item, up to `most` of them side by side, and gives the results in the order of the items.
 * Nothing runs any more when it ends, however it ends.
 */
export async function* ahead<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const begun: Promise<R>[] = []
  try {
    for await (const item of items) {
      const result = work(item)
      // it is waited for in its turn
      result.catch(() => {})
      begun.push(result)
      if (begun.length >= most) yield await (begun.shift() as Promise<R>)
    }
    for (let next = begun.shift(); next; next = begun.shift()) yield await next
  } finally {
    await Promise.allSettled(begun)
  }
}
