#!/usr/bin/env bash
# Builds echarts.js: Apache ECharts with the charts that the page uses. Needs node and npm; see README.md.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent echarts@5.6.0 esbuild@0.28.2
cp "$here/echarts.entry.js" entry.js
node_modules/@esbuild/*/bin/esbuild entry.js --bundle --minify --format=iife --global-name=echarts --charset=ascii \
    --target=es2020 --legal-comments=none --outfile=bundle.js
{
    echo '/*! Apache ECharts 5.6.0, Apache-2.0; with zrender 5.6.1, BSD-3-Clause. A custom build: see vendor/README.md. */'
    # The page is one file: nothing in a script may end it.
    sed 's#</script#<\\/script#g' bundle.js
} >"$here/echarts.js"
cp node_modules/echarts/LICENSE "$here/LICENSE-echarts"
cp node_modules/echarts/NOTICE "$here/NOTICE-echarts"
cp node_modules/zrender/LICENSE "$here/LICENSE-zrender"
wc -c "$here/echarts.js"
