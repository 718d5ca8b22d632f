import { expect, test } from '@jest/globals'
import { systemRuntime } from '../../../core/index.ts'
import { UserGroups } from './user-groups.ts'

test('groups of a user: the primary one first, then memberships; an unknown user has its own name', () => {
  const groups = new UserGroups({
    runtime: systemRuntime,
    databases: () => ({
      passwd: 'root:x:0:0::/root:/bin/sh\nada:x:1000:1001::/home/ada:/bin/sh\n',
      group: 'root:x:0:\nwheel:x:10:root,ada\nstaff:x:1001:\nother:x:7:root\n',
    }),
  })
  expect(groups.of('ada')).toEqual(['staff', 'wheel'])
  expect(groups.of('root')).toEqual(['root', 'wheel', 'other'])
  expect(groups.of('nobody-here')).toEqual(['nobody-here'])
  expect(groups.of('ada')).toBe(groups.of('ada'))
})
