import { describe, expect, test } from 'vitest'
import { readFilestoreUrl } from '#engine/features/discovery/filestore-url.ts'
import { readDatabase, readFilestore } from '#engine/features/discovery/found-settings.ts'

const settings = (entries: Record<string, string>) => new Map(Object.entries(entries))

describe('the settings that a server tells', () => {
  test.each([
    [
      'https://s3.example.org:8443/media/sites/one/',
      { endpoint: 'https://s3.example.org:8443', bucket: 'media', prefix: 'sites/one', pathStyle: true, region: 'us-east-1' },
    ],
    ['http://10.0.0.1/b', { endpoint: 'http://10.0.0.1', bucket: 'b', prefix: '', pathStyle: true }],
    ['https://s3.eu-west-1.amazonaws.com/b/p', { bucket: 'b', prefix: 'p', region: 'eu-west-1', pathStyle: true }],
    ['https://s3-eu-central-1.amazonaws.com/b', { bucket: 'b', region: 'eu-central-1' }],
    [
      'https://my-bucket.s3.eu-west-3.amazonaws.com/p/q',
      { bucket: 'my-bucket', prefix: 'p/q', region: 'eu-west-3', pathStyle: false },
    ],
    ['https://my.bucket.s3.amazonaws.com/', { bucket: 'my.bucket', prefix: '', pathStyle: true }],
  ])('the bucket of %s', (url, place) => {
    expect(readFilestoreUrl(url)).toMatchObject(place)
    expect('endpoint' in (readFilestoreUrl(url) ?? {})).toBe('endpoint' in place)
  })

  test.each(['ftp://host/files', 'webdavs://host/x', 'https://s3.example.org/', 'no url', ''])('%j is no bucket', (url) => {
    expect(readFilestoreUrl(url)).toBeNull()
  })

  test('a site’s own file store goes before the server’s, unless that is locked', () => {
    const own = settings({ s3url: 'https://own.example.org/o', s3key: 'K', s3secret: 'S' })
    const server = settings({ s3url: 'https://all.example.org/sites', s3key: 'A', s3secret: 'T' })
    expect(readFilestore('one', own, server)).toMatchObject({ settings: { bucket: 'o', accessKeyId: 'K' }, secret: 'S' })
    expect(readFilestore('one', settings({}), server)).toMatchObject({
      settings: { bucket: 'sites', prefix: 'one', accessKeyId: 'A' },
      secret: 'T',
    })
    const named = settings({ s3url: 'https://all.example.org/{{site}}-files', s3key: 'A' })
    expect(readFilestore('one', settings({}), named)).toMatchObject({
      settings: { bucket: 'one-files', prefix: '' },
      secret: null,
    })
    const locked = new Map([...server, ['is_config_locked', 'true']])
    expect(readFilestore('one', own, locked)).toMatchObject({ settings: { bucket: 'sites' }, secret: 'T' })
    expect(readFilestore('one', settings({}), settings({}))).toBeNull()
    expect(readFilestore('one', settings({ s3url: 'ftp://host/x' }), settings({}))).toMatch(/no S3 bucket \(ftp\)/)
    expect(readFilestore('one', settings({ s3url: 'https://h.example.org/b' }), settings({}))).toMatch(/access key/)
  })

  test('a database is whole or none', () => {
    const config = { dbdatabase: 'd', dbschema: 's', dbuser: 'u', dbhost: '/run/postgresql', dbport: '5433' }
    expect(readDatabase(settings(config))).toMatchObject({
      settings: { host: '/run/postgresql', port: 5433, database: 'd', schema: 's', user: 'u', via: 'ssh', tls: 'disable' },
      password: null,
    })
    expect(readDatabase(settings({ ...config, dbpassword: 'p' }))?.password).toBe('p')
    expect(readDatabase(settings({ ...config, dbdatabase: 'none' }))).toBeNull()
    expect(readDatabase(settings({ ...config, dbport: 'x' }))).toBeNull()
    expect(readDatabase(settings({}))).toBeNull()
  })
})
