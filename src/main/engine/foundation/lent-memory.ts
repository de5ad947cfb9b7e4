/** The size of all blocks. */
export const BLOCK_BYTES = 16 * 1024 * 1024
/** Blocks that wait to be lent again. */
const MOST_KEPT = 6
/** Nobody streams any more: what is kept goes back to the system. */
const KEPT_MS = 5000

/** Blocks that are lent, with how much of them was not given back yet. Those nobody gives back are collected as anything else. */
const lent = new WeakMap<ArrayBufferLike, number>()
let kept: ArrayBuffer[] = []
let forgetting: NodeJS.Timeout | null = null

/**
 * Memory for a stream of gigabytes. Made anew for every piece, it costs as much time as hashing it: the system has to clear it
 * and V8 to collect it.
 * @returns {@link BLOCK_BYTES} that nobody else holds; their content is whatever was in them before
 */
export function lendBlock(): Buffer {
  const block = kept.pop() ?? new ArrayBuffer(BLOCK_BYTES)
  lent.set(block, BLOCK_BYTES)
  return Buffer.from(block)
}

/**
 * Gives memory back, in pieces of any size, each once. Other memory is not touched. Only for who knows that nobody holds these
 * bytes any more: they are written over when all of their block was given back. Who is not sure leaves it to be collected.
 */
export function giveBack(bytes: Uint8Array): void {
  const out = lent.get(bytes.buffer)
  if (out === undefined) return
  if (out > bytes.length) {
    lent.set(bytes.buffer, out - bytes.length)
    return
  }
  lent.delete(bytes.buffer)
  if (out === bytes.length && kept.length < MOST_KEPT) keep(bytes.buffer as ArrayBuffer)
}

function keep(block: ArrayBuffer): void {
  kept.push(block)
  if (forgetting) {
    forgetting.refresh()
    return
  }
  forgetting = setTimeout(() => {
    kept = []
    forgetting = null
  }, KEPT_MS)
  forgetting.unref()
}
