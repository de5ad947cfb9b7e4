import { formatBytes } from '#shared/format.ts'
import classes from './sparkline.module.css'

const WIDTH = 72
const HEIGHT = 16

/** One grey line of sizes over time, a dot at the newest, no axis. */
export function Sparkline({ sizes }: { sizes: readonly number[] }) {
  const shown = sizes.slice(-35)
  const last = shown[shown.length - 1]
  const first = shown[0]
  if (last === undefined || first === undefined || shown.length < 2) return <div className={classes.empty} />
  const least = Math.min(...shown)
  const span = Math.max(...shown) - least || 1
  const step = (WIDTH - 6) / Math.max(shown.length - 1, 9)
  const points = shown.map((size, index) => [2 + index * step, HEIGHT - 3 - ((size - least) / span) * (HEIGHT - 6)] as const)
  const [x, y] = points[points.length - 1] ?? [0, 0]
  return (
    <svg
      className={classes.spark}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={`From ${formatBytes(first)} to ${formatBytes(last)}`}
    >
      <polyline points={points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ')} />
      <circle cx={x} cy={y} r="2" />
    </svg>
  )
}
