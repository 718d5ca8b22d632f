// What bin/alluxio runs. CommonJS, because loading one module costs a tenth of Node's own start less that way; everything
// but `version` goes on in main.mjs.
'use strict'
const words = process.argv.slice(2)
if (words.length === 1 && (words[0] === 'version' || words[0] === '--version')) {
  require('node:fs').writeSync(1, `${ALLUXIO_VERSION}\n`)
} else import('./alluxio.js')
