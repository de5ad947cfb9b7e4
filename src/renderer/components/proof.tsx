import classes from './proof.module.css'

/** Three bars and the level: L1 and L2 blue, L3 green. */
export function Proof({ level, second, tone }: { level: number | null; second: string; tone?: 'warn' | 'bad' }) {
  if (level === null || level < 0) {
    return (
      <div className={classes.proof}>
        <span className={classes.dash}>–</span>
        <span className={tone === undefined ? classes.second : classes[tone]}>{second}</span>
      </div>
    )
  }
  return (
    <div className={classes.proof}>
      <span className={level >= 3 ? classes.drilled : classes.level}>
        <span className={classes.bars} aria-hidden="true">
          {[1, 2, 3].map((bar) => (
            <i key={bar} className={level >= bar ? classes.full : classes.empty} />
          ))}
        </span>
        L{level}
      </span>
      <span className={tone === undefined ? classes.second : classes[tone]}>{second}</span>
    </div>
  )
}
