import { describe, expect, test } from '@jest/globals'
import { mountOf } from './mounted.ts'

const TABLE = String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:44 / /mnt/gluster rw - fuse.glusterfs host:/v0 rw,user_id=0
41 22 0:45 /below /mnt/with\040space rw shared:7 master:2 - ceph 10.0.0.1:6789:/ rw
42 40 0:46 / /mnt/gluster rw - fuse.glusterfs host:v1 rw
43 22 0:47 / /mnt/gluster/b\303\251 rw - tmpfs tmpfs rw
not a line of it
`

describe('the table of mounts', () => {
  test.each([
    ['/data', 'ext4', '/'],
    ['/mnt/glusterx', 'ext4', '/'],
    ['/mnt/with space', 'ceph', '/mnt/with space'],
    ['/mnt/with space/deep', 'ceph', '/mnt/with space'],
    ['/mnt/gluster/bé/x', 'tmpfs', '/mnt/gluster/bé'],
  ])('%s lies in a %s', (folder, type, place) => {
    expect(mountOf(folder, TABLE)).toMatchObject({ type, place })
  })

  test('of two at one place the later one is seen, with the part that is shown', () => {
    expect(mountOf('/mnt/gluster/x', TABLE)).toMatchObject({ source: 'host:v1', root: '/' })
    expect(mountOf('/mnt/with space', TABLE)).toMatchObject({ root: '/below', source: '10.0.0.1:6789:/' })
    expect(mountOf('/x', '')).toBeUndefined()
  })
})
