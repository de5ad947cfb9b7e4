import { promisify } from 'node:util'
import { constants, crc32, deflate } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const deflateAsync = promisify(deflate)

/**
 * A PNG file of 8-bit RGB pixels, compressed off the event loop.
 * @param pixels width × height × 3 bytes, row by row
 */
export async function encodePng(width: number, height: number, pixels: Uint8ClampedArray): Promise<Buffer> {
  const stride = width * 3
  const rows = Buffer.alloc((stride + 1) * height)
  for (let y = 0; y < height; y++) {
    // filter 1: each byte less the same colour of the pixel to its left
    const at = y * (stride + 1)
    rows[at] = 1
    rows.set(pixels.subarray(y * stride, (y + 1) * stride), at + 1)
    for (let x = at + stride; x > at + 3; x--) rows[x] = (rows[x] ?? 0) - (rows[x - 3] ?? 0)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  // the grain has no repetitions to be found, so looking for them would only take time
  const data = await deflateAsync(rows, { level: 6, strategy: constants.Z_RLE })
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
