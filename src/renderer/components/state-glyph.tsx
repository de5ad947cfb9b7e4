import classes from './state-glyph.module.css'

export type GlyphState = 'ok' | 'warn' | 'bad' | 'none'

const PROTECTION_GLYPH = { protected: 'ok', ageing: 'warn', unprotected: 'bad', unknown: 'none' } as const

export function glyphOf(protection: keyof typeof PROTECTION_GLYPH): GlyphState {
  return PROTECTION_GLYPH[protection]
}

/** A state as shape and colour together: circle, triangle, diamond, hollow ring. */
export function StateGlyph({ state, size = 12, label }: { state: GlyphState; size?: number; label?: string }) {
  const hidden = label === undefined
  return (
    <svg
      className={classes[state]}
      width={size}
      height={size}
      viewBox="0 0 12 12"
      role={hidden ? undefined : 'img'}
      aria-label={label}
      aria-hidden={hidden}
    >
      {state === 'ok' && <circle cx="6" cy="6" r="5" fill="currentColor" />}
      {state === 'warn' && <path d="M6 1.2 11.3 10.6H.7Z" fill="currentColor" stroke="currentColor" strokeLinejoin="round" />}
      {state === 'bad' && <path d="M6 .6 11.4 6 6 11.4.6 6Z" fill="currentColor" />}
      {state === 'none' && <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.75" />}
    </svg>
  )
}
