import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Picture } from '../content/types.ts'
import { SeededRandom } from '../random.ts'
import { encodePng } from './png.ts'

type Colour = readonly [red: number, green: number, blue: number]
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
  const pixels = new Uint8Array(width * height * 3)
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
      for (const part of colour) pixels[at++] = Math.max(0, Math.min(255, part + noise))
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
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part, from[2] + (to[2] - from[2]) * part]
}

function paintSea(random: SeededRandom): Painter {
  const horizon = 0.45 + random.next() * 0.15
  const high: Colour = random.pick([
    [96, 132, 168],
    [70, 84, 120],
    [168, 148, 120],
    [34, 42, 72],
  ] as const)
  const low: Colour = random.pick([
    [236, 214, 176],
    [232, 190, 140],
    [214, 222, 226],
  ] as const)
  const deep: Colour = [30, 58, 66]
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
      if (isHull || isMast) return [44, 32, 26]
      if (dy > 0.2 && dy < 1.35 && dx > 0.03 && dx < (1.4 - dy) * 0.6) return [224, 208, 176]
      if (dy > 0.2 && dy < 1.2 && dx < -0.03 && dx > (dy - 1.25) * 0.4) return [206, 188, 152]
    }
    if (y < horizon) {
      const distance = Math.hypot((x - sun.x) * 1.3, y - sun.y)
      const cloud = Math.sin(x * 9 + Math.sin(y * 21) * 1.6) * Math.sin(y * 17 + x * 3) * 0.18
      const sky = mix(high, low, y / horizon + cloud)
      return distance < 0.035 ? [255, 246, 214] : mix(sky, [255, 232, 190], 0.5 - distance * 2.2)
    }
    const depth = (y - horizon) / (1 - horizon)
    const wave = Math.sin(y * y * 160 + Math.sin(x * 26) * 2.4) * 0.12
    const glitter = Math.abs(x - sun.x) < 0.05 + depth * 0.08 ? 0.25 : 0
    return mix(mix(low, deep, 0.45 + depth * 0.5 + wave), [255, 240, 205], glitter * (0.6 + wave * 3))
  }
}

function paintTiles(random: SeededRandom): Painter {
  const across = random.whole(3, 6)
  const petals = random.whole(4, 8)
  const phase = random.next() * 6
  const blue: Colour = random.pick([
    [38, 66, 138],
    [70, 88, 120],
    [120, 54, 60],
  ] as const)
  const white: Colour = [236, 236, 228]
  return (x, y) => {
    const u = ((x * across) % 1) - 0.5
    const v = ((y * across * 0.72) % 1) - 0.5
    if (Math.abs(u) > 0.485 || Math.abs(v) > 0.485) return [150, 144, 132]
    const radius = Math.hypot(u, v)
    const flower = 0.24 + 0.1 * Math.cos(Math.atan2(v, u) * petals + phase)
    const corner = Math.hypot(Math.abs(u) - 0.5, Math.abs(v) - 0.5)
    if (corner < 0.16 && corner > 0.11) return blue
    if (radius < 0.06) return mix(blue, white, 0.3)
    return radius < flower ? mix(blue, white, radius / flower - 0.2) : mix(white, blue, 0.06)
  }
}

function paintStillLife(random: SeededRandom): Painter {
  const wall: Colour = random.pick([
    [62, 52, 44],
    [44, 54, 58],
    [84, 66, 50],
  ] as const)
  const table: Colour = [110, 76, 48]
  const things = Array.from({ length: random.whole(3, 6) }, () => ({
    x: 0.18 + random.next() * 0.64,
    y: 0.5 + random.next() * 0.2,
    size: 0.08 + random.next() * 0.13,
    colour: random.pick([
      [196, 156, 82],
      [150, 92, 56],
      [172, 168, 158],
      [96, 112, 92],
    ] as const),
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
      return mix(mix([18, 14, 12], thing.colour, light + 0.25), [255, 250, 236], shine)
    }
    const light = 1.15 - Math.hypot(x - 0.2, y - 0.1)
    return y > 0.68
      ? mix([30, 20, 14], table, light + Math.sin(y * 130 + Math.sin(x * 5)) * 0.06)
      : mix([20, 18, 18], wall, light)
  }
}

function paintPlan(random: SeededRandom): Painter {
  const paper: Colour = random.pick([
    [226, 214, 184],
    [214, 220, 222],
    [232, 224, 204],
  ] as const)
  const ink: Colour = random.pick([
    [60, 46, 40],
    [36, 52, 92],
  ] as const)
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
    return mix(paper, [170, 140, 96], 0.12 + stain * 0.1)
  }
}
