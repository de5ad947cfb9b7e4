import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { freePort } from './postgres.ts'

/** The keys of somebody who may use the S3 server. */
export interface S3User {
  /** As a bucket policy names it: `arn:aws:iam:::user/NAME`. */
  arn: string
  accessKeyId: string
  secretAccessKey: string
}

/** A throw-away S3 server: Ceph's gateway with one monitor and one store in memory. */
export interface TestS3 extends S3User {
  endpoint: string
  port: number
  /** Made fresh, empty, owned by the user. */
  bucket: string
  makeBucket(name: string): Promise<void>
  /** Another user, who may do nothing in the bucket unless a policy says so. */
  addUser(name: string): Promise<S3User>
  /** Kills the gateway as a power cut would; what was stored stays. */
  stopGateway(): Promise<void>
  startGateway(): Promise<void>
  /** Kills the gateway and starts it again after so many milliseconds. */
  outage(milliseconds?: number): Promise<void>
  /** A client for looking behind the scenes. */
  client(user?: S3User): S3Client
  stop(): Promise<void>
}

const run = promisify(execFile)
const BIN = '/usr/bin'

/** The programs that an S3 server of the tests needs, or null when they are here. */
export function missingCeph(): string | null {
  const missing = ['radosgw', 'ceph-mon', 'ceph-osd'].filter((name) => !existsSync(join(BIN, name)))
  if (missing.length === 0) return null
  return `no ${missing.join(', ')} here; on Debian: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd`
}

/** Starts an S3 server on a free port of 127.0.0.1, all its files in a temporary folder. Call `stop()` when done. */
export async function startS3(): Promise<TestS3> {
  const missing = missingCeph()
  if (missing) throw new Error(`These tests need an S3 server: ${missing}`)
  // its sockets' paths must be short
  const folder = await mkdtemp(join(tmpdir(), 's3-'))
  const children: ChildProcess[] = []
  const killAll = () => {
    for (const child of [...children].reverse()) child.kill('SIGKILL')
  }
  process.on('exit', killAll)
  const stop = async () => {
    process.off('exit', killAll)
    const ended = children.map(endOf)
    killAll()
    await Promise.all(ended)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    return await startIn(folder, children, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function startIn(folder: string, children: ChildProcess[], stop: () => Promise<void>): Promise<TestS3> {
  for (const name of ['mon', 'osd', 'run', 'log', 'home']) await mkdir(join(folder, name))
  const [port, monitorPort] = [await freePort(), await freePort()]
  const storeId = randomUUID()
  const config = join(folder, 'ceph.conf')
  await writeFile(config, configuration(folder, { port, monitorPort, storeId }))
  const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', HOME: join(folder, 'home'), CEPH_CONF: config }
  const options = { cwd: folder, env }
  const start = async (name: string, args: string[]) => {
    const log = await open(join(folder, 'log', `${name}.out`), 'a')
    const child = spawn(join(BIN, name), [...args, '-f'], { ...options, stdio: ['ignore', log.fd, log.fd] })
    await log.close()
    children.push(child)
    return child
  }
  const admin = (args: string[]) => run('radosgw-admin', ['-n', 'client.rgw', ...args], options)
  const addUser = async (name: string): Promise<S3User> => {
    const accessKeyId = randomBytes(10).toString('hex').toUpperCase()
    const secretAccessKey = randomBytes(20).toString('hex')
    const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`]
    await admin(['user', 'create', `--uid=${name}`, `--display-name=${name}`, ...keys])
    return { arn: `arn:aws:iam:::user/${name}`, accessKeyId, secretAccessKey }
  }

  await run('ceph-authtool', ['-C', 'keyring', '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *'], options)
  await run('ceph-mon', ['-i', 'a', '--mkfs', '--keyring', 'keyring'], options)
  await start('ceph-mon', ['-i', 'a'])
  await run('ceph', ['--connect-timeout', '30', 'osd', 'new', storeId, '0'], options)
  await run('ceph-osd', ['-i', '0', '--mkfs'], options)
  await start('ceph-osd', ['-i', '0'])
  const user = await addUser('zotonic')

  let gateway: ChildProcess | null = null
  const endpoint = `http://127.0.0.1:${port}`
  const startGateway = async () => {
    if (gateway) return
    const child = await start('radosgw', ['-n', 'client.rgw'])
    gateway = child
    const deadline = Date.now() + 60_000
    while (!(await answers(endpoint))) {
      if (child.exitCode === null && child.signalCode === null && Date.now() < deadline) await sleep(50)
      else throw new Error(`radosgw did not start:\n${await readFile(join(folder, 'log', 'radosgw.out'), 'utf8')}`)
    }
  }
  const stopGateway = async () => {
    if (!gateway) return
    const ended = endOf(gateway)
    gateway.kill('SIGKILL')
    gateway = null
    await ended
  }
  const client = ({ accessKeyId, secretAccessKey }: S3User = user) =>
    new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
  const makeBucket = async (name: string) => {
    const own = client()
    await own.send(new CreateBucketCommand({ Bucket: name })).finally(() => own.destroy())
  }
  await startGateway()
  await makeBucket('backups')
  return {
    ...user,
    endpoint,
    port,
    bucket: 'backups',
    makeBucket,
    addUser,
    startGateway,
    stopGateway,
    async outage(milliseconds = 0) {
      await stopGateway()
      await sleep(milliseconds)
      await startGateway()
    },
    client,
    stop,
  }
}

async function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    () => true,
    () => false,
  )
}

function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

/** One monitor and one store, nothing replicated, nothing signed between them, all files in the folder. */
function configuration(folder: string, ids: { port: number; monitorPort: number; storeId: string }): string {
  return `[global]
fsid = ${randomUUID()}
mon_initial_members = a
mon_host = [v2:127.0.0.1:${ids.monitorPort}/0]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
pid_file =
log_file = ${folder}/log/$name.log
crash_dir = ${folder}/log
keyring = ${folder}/keyring
heartbeat_file =
osd_client_watch_timeout = 2
osd_default_notify_timeout = 2
ms_mon_client_mode = crc
ms_mon_service_mode = crc
ms_mon_cluster_mode = crc
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
[mon]
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_tick_interval = 1
mon_data = ${folder}/mon
mon_cluster_log_file = ${folder}/log/cluster.log
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_osd_min_in_ratio = 0
mon_data_avail_warn = 1
mon_data_avail_crit = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
auth_allow_insecure_global_id_reclaim = true
mon_warn_on_insecure_global_id_reclaim = false
[osd]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
osd_data = ${folder}/osd
osd_objectstore = memstore
osd_uuid = ${ids.storeId}
memstore_device_bytes = 8G
osd_pool_default_size = 1
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:${ids.port} tcp_nodelay=1
rgw_data = ${folder}/run
rgw_dns_name = localhost
rgw_enable_usage_log = false
rgw_thread_pool_size = 32
rgw_num_rados_handles = 1
rgw_gc_obj_min_wait = 2
rgw_gc_processor_period = 5
rgw_gc_processor_max_time = 5
`
}
