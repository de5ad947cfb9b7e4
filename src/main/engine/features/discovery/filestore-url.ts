import { type FilestoreSettings, filestoreSchema } from '#shared/model/site.ts'

type Place = Pick<FilestoreSettings, 'endpoint' | 'region' | 'bucket' | 'prefix' | 'pathStyle'>

const AWS = /^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$/

/**
 * The bucket that the base URL of a site's file store means: bucket and prefix are its path; of AWS the bucket may be in the host.
 * @returns null: it is no URL of an S3 bucket
 */
export function readFilestoreUrl(text: string): Place | null {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return null
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null
  const path = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decoded)
  const aws = AWS.exec(url.hostname)
  const inHost = aws?.[1]
  const [first, ...rest] = path
  const bucket = inHost ?? first
  if (bucket === undefined) return null
  const prefix = (inHost === undefined ? rest : path).join('/')
  const place = filestoreSchema.omit({ accessKeyId: true, caFile: true }).safeParse({
    bucket,
    prefix,
    pathStyle: inHost === undefined || inHost.includes('.'),
    ...(aws ? (aws[2] ? { region: aws[2] } : {}) : { endpoint: url.origin }),
  })
  return place.success ? place.data : null
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
