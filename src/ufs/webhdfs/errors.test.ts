import { describe, expect, test } from '@jest/globals'
import { fromAnswer } from './errors.ts'

const answer = (exception: string, message: string) =>
  JSON.stringify({ RemoteException: { exception, message } })

describe('answers of Hadoop', () => {
  test.each([
    [404, 'FileNotFoundException', 'File does not exist: /x', 'NOT_FOUND'],
    [403, 'FileAlreadyExistsException', '/x already exists', 'ALREADY_EXISTS'],
    [403, 'AccessControlException', 'Permission denied: user=a', 'PERMISSION_DENIED'],
    [403, 'AccessControlException', '/f (is not a directory)', 'NOT_A_DIRECTORY'],
    [403, 'StandbyException', 'Operation category READ is not supported in state standby', 'UNAVAILABLE'],
    [403, 'SafeModeException', 'Name node is in safe mode.', 'UNAVAILABLE'],
    [
      403,
      'IOException',
      'File /x could only be written to 0 of the 1 minReplication nodes. There are 0 datanode(s) running',
      'UNAVAILABLE',
    ],
    [
      403,
      'IOException',
      'File /x could only be written to 0 of the 1 minReplication nodes. There are 1 datanode(s) running and 1 node(s) are excluded',
      'RESOURCE_EXHAUSTED',
    ],
    [403, 'DSQuotaExceededException', 'The DiskSpace quota of /x is exceeded', 'RESOURCE_EXHAUSTED'],
    [
      403,
      'FSLimitException$PathComponentTooLongException',
      'The maximum path component name limit',
      'INVALID_ARGUMENT',
    ],
    [403, 'InvalidToken', 'token (x) is expired', 'UNAUTHENTICATED'],
    [403, 'SecretManager$InvalidToken', "token (x) can't be found in cache", 'UNAUTHENTICATED'],
    [500, 'NullPointerException', '', 'UNAVAILABLE'],
    [403, 'IOException', 'something else', 'INTERNAL'],
  ])('%d %s: %s', (status, exception, message, code) => {
    const error = fromAnswer(status, answer(exception, message), 'OPEN /x', 'http://nn')
    expect(error).toMatchObject({ code, operation: 'OPEN' })
    expect(error.message).toContain(message)
  })

  test.each([
    [401, '<html>Authentication required</html>', 'UNAUTHENTICATED', /Kerberos.*delegation.token/],
    [
      404,
      'It looks like you are making an HTTP request to a Hadoop IPC port.',
      'UNAVAILABLE',
      /not its RPC port/,
    ],
    [502, '', 'UNAVAILABLE', /no answer of WebHDFS/],
    [200, '{"RemoteException":null}', 'UNAVAILABLE', /no answer of WebHDFS/],
  ])('%d %s', (status, text, code, message) => {
    const error = fromAnswer(status, text, 'OPEN /x', 'http://nn')
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})
