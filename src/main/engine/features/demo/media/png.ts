import { promisify } from 'node:util'
import { crc32, deflate } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const deflateAsync = promisify(deflate)

/**
 * A PNG file of 8-bit RGB pixels, compressed off the event loop.
 * @param pixels width × height × 3 bytes, row by row
 */
export async function encodePng(width: number, height: number, pixels: Uint8Array): Promise<Buffer> {
  const stride = width * 3
  const rows = Buffer.alloc((stride + 1) * height)
  for (let y = 0; y < height; y++) {
    // filter 1: each byte less the same colour of the pixel to its left
    const at = y * (stride + 1)
    rows[at] = 1
    for (let x = 0; x < stride; x++) {
      rows[at + 1 + x] = (pixels[y * stride + x] ?? 0) - (x < 3 ? 0 : (pixels[y * stride + x - 3] ?? 0))
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const data = await deflateAsync(rows, { level: 4 })
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
