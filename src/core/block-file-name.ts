/** Name of the tier file of a sealed block; `soleCopy`: no other copy of it is known. */
export function blockFileName(id: number, length: number, soleCopy: boolean): string {
  return `b${id}_${length}${soleCopy ? '.sole' : ''}.arrow`
}
