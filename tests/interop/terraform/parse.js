// SPDX-License-Identifier: Apache-2.0
// parse.js FILE...: ends in 1 and names the files that are no HCL.
const fs = require('fs');
const { parse } = require('@cdktf/hcl2json');

(async () => {
  let bad = 0;
  for (const file of process.argv.slice(2)) {
    try {
      await parse(file, fs.readFileSync(file, 'utf8'));
    } catch (e) {
      console.log(`${file}: ${e.message || e}`);
      bad = 1;
    }
  }
  process.exit(bad);
})();
