import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BLOCK_BYTES, giveBack, lendBlock } from '#engine/foundation/lent-memory.ts'

describe('memory that is lent', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.runAllTimers()
    vi.useRealTimers()
  })

  it('is lent again when the last piece of it was given back, and not before', () => {
    const block = lendBlock()
    giveBack(block.subarray(0, 1000))
    giveBack(block.subarray(5000))
    expect(lendBlock().buffer).not.toBe(block.buffer)
    giveBack(block.subarray(1000, 5000))
    expect(lendBlock().buffer).toBe(block.buffer)
    expect(block.length).toBe(BLOCK_BYTES)
  })

  it('is not lent to two, when it is given back twice', () => {
    const block = lendBlock()
    giveBack(block)
    giveBack(block)
    expect(lendBlock().buffer).toBe(block.buffer)
    expect(lendBlock().buffer).not.toBe(block.buffer)
  })

  it('is not lent at all when more was given back than there is', () => {
    const block = lendBlock()
    giveBack(block.subarray(0, 10))
    giveBack(block)
    expect(lendBlock().buffer).not.toBe(block.buffer)
  })

  it('takes no other memory for its own', () => {
    const other = Buffer.alloc(BLOCK_BYTES)
    giveBack(other)
    expect(lendBlock().buffer).not.toBe(other.buffer)
  })

  it('goes back to the system when nobody borrows any more', () => {
    const block = lendBlock()
    giveBack(block)
    vi.advanceTimersByTime(10_000)
    expect(lendBlock().buffer).not.toBe(block.buffer)
  })
})
