import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Picture } from '../content/types.ts'
import { SeededRandom } from '../random.ts'
import { encodePng } from './png.ts'

/** 0xRRGGBB: a number, since millions of them are mixed. */
type Colour = number
/** The colour at a place, both from 0 to 1. */
type Painter = (x: number, y: number) => Colour

export interface PaintedPicture {
  bytes: Buffer
  width: number
  height: number
}

/** Paints a picture for an object: seas with ships, tiles, still lifes, plans. The same seed gives the same file. */
export async function paintPicture(kind: Picture, seed: number): Promise<PaintedPicture> {
  const random = new SeededRandom(seed)
  const width = random.pick([380, 400, 440])
  const height = random.pick([270, 290, 310])
  const painter = PAINTERS[kind](random)
  const pixels = new Uint8ClampedArray(width * height * 3)
  let grain = seed | 1
  let at = 0
  for (let y = 0; y < height; y++) {
    if (y % 64 === 63) await nextTurn()
    for (let x = 0; x < width; x++) {
      const colour = painter(x / width, y / height)
      // the grain of canvas and paper; it also gives the file the size of a photograph
      grain ^= grain << 13
      grain ^= grain >>> 17
      grain ^= grain << 5
      const noise = (grain & 3) - 1
      pixels[at++] = (colour >> 16) + noise
      pixels[at++] = ((colour >> 8) & 255) + noise
      pixels[at++] = (colour & 255) + noise
    }
  }
  return { bytes: await encodePng(width, height, pixels), width, height }
}

const PAINTERS: Record<Picture, (random: SeededRandom) => Painter> = {
  sea: paintSea,
  tiles: paintTiles,
  'still-life': paintStillLife,
  plan: paintPlan,
}

function mix(from: Colour, to: Colour, share: number): Colour {
  const part = Math.max(0, Math.min(1, share))
  const red = (from >> 16) + ((to >> 16) - (from >> 16)) * part
  const green = ((from >> 8) & 255) + (((to >> 8) & 255) - ((from >> 8) & 255)) * part
  const blue = (from & 255) + ((to & 255) - (from & 255)) * part
  return (red << 16) | (green << 8) | blue
}

function paintSea(random: SeededRandom): Painter {
  const horizon = 0.45 + random.next() * 0.15
  const high: Colour = random.pick([0x6084a8, 0x465478, 0xa89478, 0x222a48])
  const low: Colour = random.pick([0xecd6b0, 0xe8be8c, 0xd6dee2])
  const deep: Colour = 0x1e3a42
  const sun = { x: 0.2 + random.next() * 0.6, y: horizon - 0.08 - random.next() * 0.2 }
  const ships = Array.from({ length: random.whole(1, 3) }, () => ({
    x: 0.15 + random.next() * 0.7,
    size: 0.1 + random.next() * 0.12,
  }))
  return (x, y) => {
    for (const ship of ships) {
      const dx = (x - ship.x) / ship.size
      const dy = (horizon + 0.03 - y) / ship.size
      const isHull = dy > -0.12 && dy < 0.12 && Math.abs(dx) < 0.55 + dy * 0.8
      const isMast = Math.abs(dx) < 0.012 && dy > 0 && dy < 1.5
      if (isHull || isMast) return 0x2c201a
      if (dy > 0.2 && dy < 1.35 && dx > 0.03 && dx < (1.4 - dy) * 0.6) return 0xe0d0b0
      if (dy > 0.2 && dy < 1.2 && dx < -0.03 && dx > (dy - 1.25) * 0.4) return 0xcebc98
    }
    if (y < horizon) {
      const distance = Math.hypot((x - sun.x) * 1.3, y - sun.y)
      const cloud = Math.sin(x * 9 + Math.sin(y * 21) * 1.6) * Math.sin(y * 17 + x * 3) * 0.18
      const sky = mix(high, low, y / horizon + cloud)
      return distance < 0.035 ? 0xfff6d6 : mix(sky, 0xffe8be, 0.5 - distance * 2.2)
    }
    const depth = (y - horizon) / (1 - horizon)
    const wave = Math.sin(y * y * 160 + Math.sin(x * 26) * 2.4) * 0.12
    const glitter = Math.abs(x - sun.x) < 0.05 + depth * 0.08 ? 0.25 : 0
    return mix(mix(low, deep, 0.45 + depth * 0.5 + wave), 0xfff0cd, glitter * (0.6 + wave * 3))
  }
}

function paintTiles(random: SeededRandom): Painter {
  const across = random.whole(3, 6)
  const petals = random.whole(4, 8)
  const phase = random.next() * 6
  const blue: Colour = random.pick([0x26428a, 0x465878, 0x78363c])
  const white: Colour = 0xecece4
  return (x, y) => {
    const u = ((x * across) % 1) - 0.5
    const v = ((y * across * 0.72) % 1) - 0.5
    if (Math.abs(u) > 0.485 || Math.abs(v) > 0.485) return 0x969084
    const radius = Math.hypot(u, v)
    const flower = 0.24 + 0.1 * Math.cos(Math.atan2(v, u) * petals + phase)
    const corner = Math.hypot(Math.abs(u) - 0.5, Math.abs(v) - 0.5)
    if (corner < 0.16 && corner > 0.11) return blue
    if (radius < 0.06) return mix(blue, white, 0.3)
    return radius < flower ? mix(blue, white, radius / flower - 0.2) : mix(white, blue, 0.06)
  }
}

function paintStillLife(random: SeededRandom): Painter {
  const wall: Colour = random.pick([0x3e342c, 0x2c363a, 0x544232])
  const table: Colour = 0x6e4c30
  const things = Array.from({ length: random.whole(3, 6) }, () => ({
    x: 0.18 + random.next() * 0.64,
    y: 0.5 + random.next() * 0.2,
    size: 0.08 + random.next() * 0.13,
    colour: random.pick([0xc49c52, 0x965c38, 0xaca89e, 0x60705c]),
  }))
  return (x, y) => {
    for (let index = things.length - 1; index >= 0; index--) {
      const thing = things[index]
      if (!thing) continue
      const dx = (x - thing.x) / thing.size
      const dy = (y - thing.y) / (thing.size * 1.2)
      const radius = dx * dx + dy * dy
      if (radius > 1) continue
      const light = Math.sqrt(1 - radius) * 0.7 - dx * 0.35 - dy * 0.35
      const shine = Math.hypot(dx + 0.35, dy + 0.4) < 0.14 ? 0.7 : 0
      return mix(mix(0x120e0c, thing.colour, light + 0.25), 0xfffaec, shine)
    }
    const light = 1.15 - Math.hypot(x - 0.2, y - 0.1)
    return y > 0.68 ? mix(0x1e140e, table, light + Math.sin(y * 130 + Math.sin(x * 5)) * 0.06) : mix(0x141212, wall, light)
  }
}

function paintPlan(random: SeededRandom): Painter {
  const paper: Colour = random.pick([0xe2d6b8, 0xd6dcde, 0xe8e0cc])
  const ink: Colour = random.pick([0x3c2e28, 0x24345c])
  const lines = random.whole(5, 9)
  const bulge = 0.25 + random.next() * 0.2
  return (x, y) => {
    const along = (x - 0.08) / 0.84
    if (along > 0 && along < 1) {
      const hull = Math.sin(Math.PI * along ** 0.8) ** 0.6 * bulge
      for (let line = 1; line <= lines; line++) {
        if (Math.abs(Math.abs(y - 0.5) - (hull * line) / lines) < 0.0028) return ink
      }
      if (Math.abs((along * 12) % 1) < 0.025 && Math.abs(y - 0.5) < hull) return mix(paper, ink, 0.5)
    }
    if (Math.abs(y - 0.5) < 0.002) return ink
    const stain = Math.sin(x * 4 + 1) * Math.sin(y * 5 + x * 2)
    return mix(paper, 0xaa8c60, 0.12 + stain * 0.1)
  }
}
