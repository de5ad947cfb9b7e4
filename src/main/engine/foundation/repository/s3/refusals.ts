import { AppError } from '#shared/errors.ts'

export function changedMeanwhile(name: string, place: string): AppError {
  return new AppError('changed-meanwhile', `${name} was changed by somebody else. It was left as it is.`, {
    hint: 'Look at it again, then repeat this.',
    details: { name, place },
  })
}

export function hashDiffers(name: string, hashes: { wanted: string; found: string }): AppError {
  return new AppError('hash-differs', `${name} did not arrive as it was sent: its SHA-256 differs. It was not put in place.`, {
    hint: 'Try again; if it happens again, verify the source.',
    details: { name, ...hashes },
  })
}
