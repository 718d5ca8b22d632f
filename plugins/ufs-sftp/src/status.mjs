/** What SFTP tells of a file: its times have whole seconds, and there is no inode, so a version is length and second. */
export function describe(path, attributes) {
  const directory = attributes.isDirectory()
  if (!directory && !attributes.isFile()) return undefined
  const { size, mtime } = attributes
  return {
    path,
    directory,
    length: directory ? 0 : size,
    modifiedMs: mtime * 1000,
    fingerprint: directory ? '' : `${size}:${mtime}`,
  }
}
